import { openPostgresEventLog } from '../index.ts'

/** Appends as fast as it may until it is killed, and reports each append only once it is acknowledged. */
const [, , connectionString = '', topic = '', producer = ''] = process.argv
const log = await openPostgresEventLog({ connectionString, applicationName: producer })
for (let sequence = 0; ; sequence++) {
  const offset = await log.append(topic, Buffer.from(`${producer}:${sequence}`), { producer, sequence })
  process.stdout.write(`${sequence} ${offset}\n`)
}
