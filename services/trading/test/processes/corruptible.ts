import { CommandKind, type Command } from '@maru/contracts'
import { Exchange } from '@maru/domain/exchange'
import { runService } from '@maru/service-host'
import { definition } from '../../service.ts'

/**
 * The trading service with a replica that can be made wrong, as a fault of memory or of the machine would: told `corrupt`, it applies the next order a lot
 * larger than the log has it. The publishing thread is a replica of its own and stays right.
 */
const { apply } = Exchange.prototype
let isArmed = false
Exchange.prototype.apply = function (this: Exchange, command: Command): void {
  const isHit = isArmed && command.kind === CommandKind.placeOrder
  if (isHit) isArmed = false
  apply.call(this, isHit ? { ...command, quantity: command.quantity + 1 } : command)
}
process.on('message', (message) => {
  if (message === 'corrupt') isArmed = true
})

await runService(definition)
