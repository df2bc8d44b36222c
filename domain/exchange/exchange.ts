import { CommandKind, type AccountMode, type Command, type PlaceOrder } from '@maru/contracts/commands'
import type { AccountControls } from './account-controls.ts'
import { accountPositionMax, setAccountControls, setLimits, setMode } from './account-settings.ts'
import { amendOrder } from './amendment.ts'
import { unset } from './accounts.ts'
import { addAsset, addMarket, markPrice, setMarketStatus } from './administration.ts'
import * as cancels from './cancels.ts'
import { cancelAll } from './cancels.ts'
import { auctionPrice, type AuctionPrice } from './auction.ts'
import * as conclusion from './conclusion.ts'
import { Core } from './core.ts'
import type { ForgottenIds } from './forgotten-ids.ts'
import { allRates, ratesOf, setFees, type FeeRates } from './fee-tiers.ts'
import * as foresight from './foresight.ts'
import { foresightMax } from './foresight.ts'
import { bookFill, moveFunds, openAccount } from './funds.ts'
import { cancelAllAfter } from './dead-man.ts'
import { setKillSwitch } from './kill-switch.ts'
import { watchMargins } from './liquidation.ts'
import { initialMarginOf, maintenanceOf, owes } from './margin.ts'
import { setMarketRules } from './market-phases.ts'
import { none } from './no-slot.ts'
import type { Outcome } from './outcome-writer.ts'
import * as placement from './placement.ts'
import * as plainOrders from './plain-orders.ts'
import * as quotes from './quotes.ts'
import { previewOrder, type OrderPreview } from './preview.ts'
import { replaceOrder } from './replacement.ts'
import { placeList } from './list-placement.ts'
import { setRules } from './rules.ts'
import { Refusal } from './refusals.ts'
import { dailyLossMaxOf, exposureOf, leverageMaxOf } from './risk.ts'
import { hashSlice, type SliceHash } from './slice-hash.ts'
import { hashState, readSnapshot, writeSnapshot } from './snapshot.ts'
import { moveInsurance, transferFunds } from './transfers.ts'
import { borrowedOf, equityOf } from './valuation.ts'
import * as views from './views.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const kinds = CommandKind
const { cancelOrder } = cancels
const { conclude, runDue } = conclusion
const { foresee } = foresight
const { placeOrder } = placement
const { cancelPlain } = plainOrders
const { massQuote } = quotes

/** Client order ids, and references of movements, that are remembered where nothing else is said. */
const idWindowDefault = 1_048_576
/** Open orders whose records, with all they lead to, fill a megabyte or two. */
const wideOrders = 8_192

/**
 * The exchange: accounts, ledger, positions, order books and risk limits as one deterministic state machine. The same commands in the same
 * order give the same outcomes and the same state on every machine; nothing else goes in. `README.md` has the rules.
 */
export class Exchange {
  readonly #core: Core

  /** @param options.clientOrderIdWindow how many client order ids are remembered; then the oldest goes for each new one */
  constructor(options: { clientOrderIdWindow?: number } | Core = {}) {
    this.#core = options instanceof Core ? options : new Core(options.clientOrderIdWindow ?? idWindowDefault)
  }

  /** The state that a snapshot holds. Throws SnapshotError on bytes that are damaged or of an unknown version. */
  static restore(bytes: Uint8Array): Exchange {
    return new Exchange(readSnapshot(bytes))
  }

  /** What the last command did, in the layout of `outcome.ts`; overwritten by the next. */
  get outcome(): Outcome {
    return this.#core.outcome
  }
  /** Number of the last command applied, from 1. */
  get commandCount(): number {
    return this.#core.commandCount
  }
  /** Number of the last order that was given one. */
  get lastOrder(): number {
    return this.#core.lastOrder
  }
  /** Rules that are switched on; a log without a switch is one of rules 1. */
  get rules(): number {
    return this.#core.rules
  }
  /** When something falls due next, milliseconds since 1970: a tick at that time makes it happen. Infinity where nothing will. */
  get nextDueMs(): number {
    return this.#core.timers.nextMs
  }
  /** Time of the last command, milliseconds since 1970; it never runs back. */
  get timeMs(): number {
    return this.#core.timeMs
  }

  /**
   * Applies the next command. Never throws for any command of the right types, whatever its figures: what cannot be done is refused
   * in the outcome and changes nothing but the number of the command and the time.
   */
  apply(command: Command): void {
    const core = this.#core
    core.begin()
    // Each case reads its own fields, so that each of these reads sees one shape of command.
    switch (command.kind) {
      case kinds.placeOrder:
        advance(core, command.time)
        placeOrder(core, command)
        conclude(core, command.symbol)
        return
      case kinds.cancelOrder:
        advance(core, command.time)
        if (!cancelPlain(core, command)) cancelOrder(core, command)
        conclude(core, -1)
        return
      case kinds.massQuote:
        advance(core, command.time)
        massQuote(core, command)
        conclude(core, command.symbol)
        return
      case kinds.markPrice:
        advance(core, command.time)
        markPrice(core, command)
        conclude(core, command.symbol)
        if (core.rules > 1) watchMargins(core)
        return
      default:
        advance(core, command.time)
        applySeldom(core, command)
    }
  }

  /** Whether its records outgrow the cache of one core, so that most commands would wait for memory. */
  get isWide(): boolean {
    return this.#core.orders.openCount > wideOrders
  }

  /**
   * Fetches what commands `from` up to `to`, at most `foresightMax` of them, will need from memory. To be called before they are applied; it changes
   * nothing and need not be called. Worth it where `isWide`.
   */
  foresee(commands: readonly Command[], from: number, to: number): void {
    this.#core.foreseen = foresee(this.#core, commands, from, Math.min(to, from + foresightMax, commands.length))
  }

  // ---- accounts -----------------------------------------------------------------------------------------------------

  get accountCount(): number {
    return this.#core.accounts.count
  }
  /** Account of a user, or -1. */
  accountOf(userId: string): number {
    return this.#core.accounts.find(userId)
  }
  /** User of an account; empty for an unknown one. */
  userIdOf(account: number): string {
    const { accounts } = this.#core
    return accounts.has(account) ? accounts.userIds.get(account) : ''
  }
  mode(account: number): AccountMode {
    return this.#core.accounts.mode(account)
  }
  /** Number of the last event of an account's stream. */
  accountSequence(account: number): number {
    return this.#core.accounts.has(account) ? this.#core.accounts.sequence(account) : 0
  }
  /** What an account pays in a market. */
  fees(account: number, symbol: number): FeeRates {
    const { makerFeePpm, takerFeePpm } = ratesOf(this.#core, this.#core.markets[symbol]!, account)
    return { makerFeePpm, takerFeePpm }
  }
  /** Fees of tiers as they were set; symbol -1 is every market. */
  feeTiers(): { tier: number; symbol: number; rates: FeeRates }[] {
    return allRates(this.#core)
  }
  /** What operators, its kill switch and its dead-man timer have set of an account. */
  controls(account: number): Readonly<AccountControls> {
    return this.#core.accounts.controls(account)
  }
  limits(account: number): views.LimitsView {
    const core = this.#core
    const bySymbol = new Map<number, number>()
    for (const position of this.#positionsOf(account)) {
      const limit = core.positions.notionalMax(position)
      if (limit !== unset) bySymbol.set(core.positions.symbol(position), limit)
    }
    return {
      positionNotionalMax: accountPositionMax(core, account),
      leverageMaxHundredths: leverageMaxOf(core, account),
      dailyLossMax: dailyLossMaxOf(core, account),
      bySymbol,
    }
  }
  risk(account: number): views.RiskView {
    const core = this.#core
    const equity = equityOf(core, account)
    const exposure = exposureOf(core, account)
    const leverageHundredths = equity > 0 ? Math.ceil((exposure / equity) * 100) : 0
    return {
      equity,
      exposure,
      leverageHundredths,
      dailyRealized: core.accounts.dayRealized(account, core.day),
      borrowed: borrowedOf(core, account),
      initialMargin: initialMarginOf(core, account),
      maintenanceMargin: owes(core, account) ? maintenanceOf(core, account) : 0,
    }
  }
  /** Minor units; zero for an asset never held. */
  balance(account: number, asset: number): { total: number; held: number } {
    const { balances } = this.#core
    const balance = balances.find(account, asset)
    return balance === none ? { total: 0, held: 0 } : { total: balances.total(balance), held: balances.held(balance) }
  }
  /** The position in a market; undefined where there never was one nor an order for one. */
  position(account: number, symbol: number): views.PositionView | undefined {
    const position = this.#core.positions.find(account, symbol)
    return position === none ? undefined : views.positionView(this.#core, position)
  }
  /** Positions that were ever open, by market. */
  positions(account: number): views.PositionView[] {
    const core = this.#core
    return this.#positionsOf(account)
      .filter((position) => core.positions.openedAtMs(position) !== 0)
      .map((position) => views.positionView(core, position))
      .sort((a, b) => a.symbol - b.symbol)
  }

  // ---- orders -------------------------------------------------------------------------------------------------------

  /** An order that is open or closed during the last command. */
  order(order: number): views.OrderView | undefined {
    const slot = this.#core.orders.find(order)
    return slot === none ? undefined : views.orderView(this.#core, slot)
  }
  /** Newest first; quotes of mass quotes left out. */
  openOrders(account: number, symbol?: number): views.OrderView[] {
    return this.#core.accounts.has(account) ? views.openOrderViews(this.#core, account, symbol) : []
  }
  /** What would become of an order if it were placed now. Changes nothing. Its account and market must be there. */
  preview(order: PlaceOrder): OrderPreview {
    return previewOrder(this.#core, order)
  }
  /** The order that used a client order id, and why it was rejected (0: it was not), as long as the id is remembered. */
  orderOfClientId(account: number, clientOrderId: string): { order: number; refusal: number } | undefined {
    const { clientOrders } = this.#core
    const place = clientOrders.find(account, clientOrderId)
    return place < 0 ? undefined : { order: clientOrders.figure(place, 0), refusal: clientOrders.figure(place, 1) }
  }

  /**
   * Whether a client order id was perhaps used longer ago than the state machine remembers, so that it would be taken for a new one; false is certain. Ask
   * before the order becomes a command.
   */
  mayHaveForgotten(account: number, clientOrderId: string): boolean {
    return this.#core.clientOrders.mayHaveForgotten(account, clientOrderId)
  }
  /** What is known of the ids that were forgotten; to be kept beside snapshots, of which it is no part, and recalled with them. */
  get forgottenIds(): ForgottenIds {
    return this.#core.forgottenIds
  }

  // ---- assets and markets -------------------------------------------------------------------------------------------

  get assets(): readonly views.AssetView[] {
    return this.#core.assets
  }
  get markets(): readonly views.MarketView[] {
    return this.#core.marketViews
  }
  assetOf(name: string): number {
    return this.#core.assetByName.get(name) ?? none
  }
  symbolOf(name: string): number {
    return this.#core.symbolByName.get(name) ?? none
  }
  /** Ticks; 0 before the first. */
  mark(symbol: number): number {
    return this.#core.market(symbol)?.mark ?? 0
  }
  lastPrice(symbol: number): number {
    return this.#core.market(symbol)?.lastPrice ?? 0
  }
  /** What an auction of the market would trade now; undefined where nothing meets. */
  auctionPrice(symbol: number): AuctionPrice | undefined {
    const market = this.#core.market(symbol)
    return market && auctionPrice(this.#core, market)
  }
  /** Whether the kill switch of all markets is on. */
  get isKilled(): boolean {
    return this.#core.isKilled
  }
  /** Best levels of both sides, at most `depth` each. */
  book(symbol: number, depth: number): { bids: views.BookLevel[]; asks: views.BookLevel[] } {
    const core = this.#core
    const market = core.market(symbol)
    if (!market) return { bids: [], asks: [] }
    return { bids: views.bookLevels(core, market.bids, depth), asks: views.bookLevels(core, market.asks, depth) }
  }

  // ---- the whole ----------------------------------------------------------------------------------------------------

  /** Every asset added up; walks all balances. */
  reconciliation(): views.Reconciliation[] {
    return views.reconcile(this.#core)
  }
  /** 128 bits in hexadecimal over the whole state: equal for equal states. Not made to withstand a forger. */
  stateHash(): string {
    return hashState(this.#core)
  }
  /** Hash of the part of the state whose turn it is, in a millisecond or so however large the whole is; see `slice-hash.ts`. */
  sliceHash(): SliceHash {
    return hashSlice(this.#core)
  }
  /** The whole state in bytes, with version and checksum; the outcome of the last command is not part of it. */
  snapshot(): Uint8Array {
    return writeSnapshot(this.#core)
  }

  #positionsOf(account: number): number[] {
    const { accounts, positions } = this.#core
    const found: number[] = []
    if (!accounts.has(account)) return found
    for (let position = accounts.firstPosition(account); position !== none; position = positions.nextOfAccount(position))
      found.push(position)
    return found
  }
}

/** Moves the clock, and does what has fallen due by then. */
function advance(core: Core, timeMs: number): void {
  core.advance(timeMs)
  if (core.timers.nextMs <= core.timeMs) runDue(core)
}

type SecondRulesCommand = Extract<
  Command,
  {
    kind:
      | typeof CommandKind.tick
      | typeof CommandKind.amendOrder
      | typeof CommandKind.replaceOrder
      | typeof CommandKind.placeList
      | typeof CommandKind.setKillSwitch
      | typeof CommandKind.cancelAllAfter
      | typeof CommandKind.setMarketRules
      | typeof CommandKind.setAccountControls
      | typeof CommandKind.setFees
      | typeof CommandKind.transferFunds
      | typeof CommandKind.moveInsurance
  }
>
type SeldomCommand = Exclude<
  Command,
  { kind: typeof CommandKind.placeOrder | typeof CommandKind.cancelOrder | typeof CommandKind.massQuote | typeof CommandKind.markPrice }
>

function applySeldom(core: Core, command: SeldomCommand): void {
  switch (command.kind) {
    case CommandKind.cancelAll:
      cancelAll(core, command)
      return conclude(core, none)
    case CommandKind.openAccount:
      return openAccount(core, command)
    case CommandKind.moveFunds:
      moveFunds(core, command)
      return conclude(core, none)
    case CommandKind.bookFill:
      bookFill(core, command)
      return conclude(core, command.symbol)
    case CommandKind.setLimits:
      return setLimits(core, command)
    case CommandKind.setMode:
      return setMode(core, command)
    case CommandKind.addAsset:
      return addAsset(core, command)
    case CommandKind.addMarket:
      return addMarket(core, command)
    case CommandKind.setMarketStatus:
      setMarketStatus(core, command)
      return conclude(core, command.symbol)
    case CommandKind.setRules:
      return setRules(core, command)
    default:
      return core.rules > 1 ? applyFromSecondRules(core, command) : core.emitRefused(Refusal.invalid_request)
  }
}

/** Commands that rules 1 do not know: refused there, as a release that knows no others does. */
function applyFromSecondRules(core: Core, command: SecondRulesCommand): void {
  switch (command.kind) {
    case CommandKind.tick:
      return
    case CommandKind.amendOrder:
      return conclude(core, amendOrder(core, command))
    case CommandKind.replaceOrder:
      return conclude(core, replaceOrder(core, command))
    case CommandKind.placeList:
      return conclude(core, placeList(core, command))
    case CommandKind.setKillSwitch:
      setKillSwitch(core, command)
      return conclude(core, none)
    case CommandKind.cancelAllAfter:
      return cancelAllAfter(core, command)
    case CommandKind.setMarketRules:
      return setMarketRules(core, command)
    case CommandKind.setAccountControls:
      return setAccountControls(core, command)
    case CommandKind.setFees:
      return setFees(core, command)
    case CommandKind.transferFunds:
      transferFunds(core, command)
      return conclude(core, none)
    case CommandKind.moveInsurance:
      return moveInsurance(core, command)
    default:
      return refuseUnknown(core, command)
  }
}

/** A kind this release does not know: refused, so that a log written by a newer one cannot stop a replica. */
function refuseUnknown(core: Core, _command: never): void {
  core.emitRefused(Refusal.invalid_request)
}
