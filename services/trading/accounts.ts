import { CommandKind, systemUserPrefix } from '@maru/contracts'
import { Problem, type Identity } from '@maru/service-host'
import { parseDecimal } from '@maru/domain/money'
import type { TradingConfig } from './config.ts'
import type { Intake } from './intake/intake.ts'
import type { Replica } from './replica/replica.ts'

/** Finds accounts by user, opens those of users who have none yet, and says who may act for whom. */
export class Accounts {
  readonly #replica: Replica
  readonly #intake: Intake
  readonly #config: TradingConfig
  readonly #opening = new Map<string, Promise<number>>()

  constructor(options: { replica: Replica; intake: Intake; config: TradingConfig }) {
    this.#replica = options.replica
    this.#intake = options.intake
    this.#config = options.config
  }

  /** The caller's own account, at once where it is there; opened and granted now if the news of the registration has not arrived yet. */
  own(identity: Identity): number | Promise<number> {
    const account = this.#replica.exchange.accountOf(identity.userId)
    return account >= 0 ? account : this.open(identity.userId)
  }

  /** The account of `userId` for its owner or an operator; Problem `forbidden` for others. */
  async of(userId: string, identity: Identity): Promise<number> {
    if (userId === identity.userId) return this.own(identity)
    if (!identity.isOperator) throw new Problem('forbidden', 'This account is not yours.')
    return this.existing(userId)
  }

  /** The account of a user, also where another instance has opened it a moment ago; Problem `account_not_found` where there is none. */
  async existing(userId: string): Promise<number> {
    const { exchange } = this.#replica
    if (exchange.accountOf(userId) < 0) await this.#replica.becomeCurrent()
    const account = exchange.accountOf(userId)
    if (account < 0) throw new Problem('account_not_found')
    return account
  }

  /** Opens the account of a user with the grant of play money; a second time changes nothing. */
  async open(userId: string): Promise<number> {
    const known = this.#replica.exchange.accountOf(userId)
    if (known >= 0) return known
    let opening = this.#opening.get(userId)
    if (!opening) {
      opening = this.#intake
        .submit({ kind: CommandKind.openAccount, userId, grants: this.#grants(userId) }, (exchange) => exchange.accountOf(userId))
        .finally(() => this.#opening.delete(userId))
      this.#opening.set(userId, opening)
    }
    return opening
  }

  #grants(userId: string): { asset: number; amount: number }[] {
    if (userId.startsWith(systemUserPrefix)) return []
    const { exchange } = this.#replica
    const asset = exchange.assetOf(this.#config.grantAsset)
    if (asset < 0) return []
    const parsed = parseDecimal(this.#config.grantAmount, exchange.assets[asset]!.scale)
    return typeof parsed === 'number' && parsed > 0 ? [{ asset, amount: parsed }] : []
  }
}
