import { Type } from '../type.ts'
import { endpoint } from '../endpoint.ts'
import { AssetName, Decimal, DecimalIn, Strict, SymbolName, UserId } from '../schemas.ts'
import { Balance } from './trading-shapes.ts'
import { Reference } from './trading.ts'

/** A fee, as a share of the notional with at most six decimals. */
const FeeIn = Type.Union([Type.String({ pattern: '^0(\\.[0-9]{1,18})?$', maxLength: 24 }), Type.Number({ minimum: 0, maximum: 0.1 })], {
  description: 'A share of the notional, such as "0.0005"; at most six decimals.',
})
const Fees = { maker_fee: Decimal, taker_fee: Decimal }

/** Fees by tier, transfers and the insurance fund. */
export const tradingMoneyEndpoints = {
  accountFees: endpoint({
    service: 'trading',
    method: 'GET',
    path: '/accounts/:user_id/fees',
    access: 'user',
    keyScope: 'read',
    summary: 'What an account pays in each market',
    params: Strict({ user_id: UserId }),
    status: 200,
    reply: Type.Object({
      user_id: Type.String(),
      fee_tier: Type.Union([Type.Integer(), Type.Null()]),
      items: Type.Array(Type.Object({ symbol: Type.String(), ...Fees })),
    }),
    errors: ['forbidden', 'account_not_found'],
  }),
  setFees: endpoint({
    service: 'trading',
    method: 'PUT',
    path: '/fees',
    access: 'operator',
    summary: 'Set the fees of a tier, in one market or in all',
    description:
      'In one market they may not be above its own. In all, the lesser of these and its own holds in each; what was set for one market goes before. Accounts are put into a tier by their controls.',
    body: Strict({
      tier: Type.Integer({ minimum: 1, maximum: 100 }),
      symbol: Type.Optional(SymbolName),
      maker_fee: FeeIn,
      taker_fee: FeeIn,
    }),
    status: 200,
    reply: Type.Object({
      items: Type.Array(
        Type.Object({
          tier: Type.Integer(),
          symbol: Type.Union([Type.String(), Type.Null()], { description: 'null: every market it has none for.' }),
          ...Fees,
        }),
      ),
    }),
    errors: ['symbol_not_found', 'invalid_amount', 'rules_not_switched_on'],
  }),
  transfer: endpoint({
    service: 'trading',
    method: 'POST',
    path: '/transfers',
    access: 'operator',
    summary: 'Move funds from one account to another',
    description: 'What is available, at once. A base asset leaves one position at its average and enters the other at the mark.',
    body: Strict({
      from_user_id: UserId,
      to_user_id: UserId,
      asset: AssetName,
      amount: DecimalIn,
      reference: Type.Optional(Reference),
    }),
    status: 201,
    reply: Type.Object({ from: Balance, to: Balance }),
    errors: [
      'account_not_found',
      'asset_not_found',
      'invalid_amount',
      'amount_too_large',
      'insufficient_funds',
      'reference_reused',
      'rules_not_switched_on',
    ],
  }),
  moveInsurance: endpoint({
    service: 'trading',
    method: 'POST',
    path: '/insurance',
    access: 'operator',
    summary: 'Bring money of the venue into its insurance fund, or take it out',
    description:
      'The fund takes liquidation fees and pays what liquidated accounts owe. It may come to owe: then its balance is below zero.',
    body: Strict({
      asset: AssetName,
      amount: DecimalIn,
      direction: Type.Union([Type.Literal('IN'), Type.Literal('OUT')]),
      reference: Type.Optional(Reference),
    }),
    status: 201,
    reply: Type.Object({ asset: Type.String(), insurance: Type.String({ description: 'What the fund has of it; signed.' }) }),
    errors: ['asset_not_found', 'invalid_amount', 'amount_too_large', 'insufficient_funds', 'reference_reused', 'rules_not_switched_on'],
  }),
} as const
