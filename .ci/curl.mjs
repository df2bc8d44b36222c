// Stands in for curl, with the few options that the tour uses, on a machine that has none.
const parameters = process.argv.slice(2)
const headers = {}
const data = []
let method,
  url,
  after = '',
  timeoutMs = 30_000
while (parameters.length > 0) {
  const option = parameters.shift()
  if (option === '-s' || option === '--fail-with-body') continue
  else if (option === '-w') after = parameters.shift().replaceAll('\\n', '\n')
  else if (option === '--max-time') timeoutMs = Number(parameters.shift()) * 1_000
  else if (option === '-X') method = parameters.shift()
  else if (option === '-d') data.push(parameters.shift())
  else if (option === '-H') {
    const [, name, value] = /^([^:]+):\s*(.*)$/.exec(parameters.shift())
    headers[name.toLowerCase()] = value
  } else if (option.startsWith('-') || url !== undefined) throw new Error(`unknown option ${option}`)
  else url = option
}
if (data.length > 0) headers['content-type'] ??= 'application/x-www-form-urlencoded'
const body = data.length > 0 ? data.join('&') : undefined
const answer = await fetch(url, {
  method: method ?? (body === undefined ? 'GET' : 'POST'),
  headers,
  body,
  signal: AbortSignal.timeout(timeoutMs),
})
process.stdout.write((await answer.text()) + after)
if (!answer.ok) process.exitCode = 22
