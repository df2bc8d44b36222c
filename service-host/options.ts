import { parseArgs, type ParseArgsConfig } from 'node:util'

type Options = NonNullable<ParseArgsConfig['options']>
type Values<T extends Options> = ReturnType<typeof parseArgs<{ options: T }>>['values']

/** What a program was asked for on its command line. `--help` prints the usage and ends it; what it does not know is said in a line, with the usage, and ends it with 2. */
export function readOptions<T extends Options>(usage: string, options: T, args: readonly string[] = process.argv.slice(2)): Values<T> {
  try {
    const { help, ...values } = parseArgs({ args: [...args], options: { ...options, help: { type: 'boolean', short: 'h' } } })
      .values as Values<T> & {
      help?: boolean
    }
    if (help !== true) return values as Values<T>
  } catch (error) {
    return refuseOptions(usage, (error as Error).message)
  }
  process.stdout.write(`${usage}\n`)
  process.exit(0)
}

/** Says what is wrong with the command line, and ends. */
export function refuseOptions(usage: string, fault: string): never {
  process.stderr.write(`${fault}\n${usage}\n`)
  process.exit(2)
}
