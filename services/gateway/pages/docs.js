// The reader of /docs: draws the OpenAPI document and lets each endpoint be tried. No library, nothing from elsewhere.

const documentUrl = '/api/openapi.json'
const examples = { symbol: 'BTC-USDT', side: 'BUY', order_type: 'MARKET', quantity: '0.01', email: 'ada@example.com', username: 'ada' }

/** An element with properties and children; text is never read as markup. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

/** One short line for a schema. */
function typeOf(schema) {
  if (schema === undefined) return ''
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  const branches = schema.anyOf ?? schema.oneOf
  if (branches) return [...new Set(branches.map(typeOf))].join(' | ')
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  if (schema.type === 'array') return `${typeOf(schema.items)}[]`
  return [schema.type].flat().join(' | ')
}

/** A value to start from when trying. */
function exampleOf(schema, name) {
  if (schema.default !== undefined) return schema.default
  if (schema.const !== undefined) return schema.const
  if (name === 'symbol') return 'BTC/USDT'
  if (name in examples) return examples[name]
  const branch = (schema.anyOf ?? schema.oneOf)?.[0]
  if (branch) return exampleOf(branch, name)
  if (schema.enum) return schema.enum[0]
  if (schema.type === 'object') {
    const required = (schema.required ?? []).filter((key) => schema.properties?.[key])
    return Object.fromEntries(required.map((key) => [key, exampleOf(schema.properties[key], key)]))
  }
  if (schema.type === 'array') return []
  if (schema.type === 'boolean') return false
  if (schema.type === 'number' || schema.type === 'integer') return schema.minimum ?? 1
  return ''
}

function fieldsOf(schema, depth = 0) {
  const rows = []
  for (const [name, field] of Object.entries(schema?.properties ?? {})) {
    const note = [field.description, (schema.required ?? []).includes(name) ? '' : 'optional'].filter(Boolean).join(' · ')
    rows.push(
      element(
        'tr',
        {},
        element('td', {}, element('code', { textContent: '\u00a0\u00a0'.repeat(depth) + name })),
        element('td', { className: 'weak', textContent: typeOf(field) }),
        element('td', { textContent: note }),
      ),
    )
    const inner = field.type === 'array' ? field.items : field
    if (inner?.properties && depth < 4) rows.push(...fieldsOf(inner, depth + 1))
  }
  return rows
}

function tableOf(title, schema) {
  const shape = schema?.type === 'array' ? schema.items : schema
  const rows = fieldsOf(shape)
  if (rows.length === 0) return schema ? [element('p', {}, `${title}: `, element('code', { textContent: typeOf(schema) || 'any' }))] : []
  return [
    element('h4', { textContent: schema.type === 'array' ? `${title} (list)` : title }),
    element('table', {}, element('tbody', {}, ...rows)),
  ]
}

function responsesOf(operation) {
  const rows = Object.entries(operation.responses).map(([status, response]) =>
    element(
      'tr',
      {},
      element('td', { textContent: status }),
      element('td', {}, ...response.description.split('\n\n').map((line) => element('div', { textContent: line.replaceAll('`', '') }))),
    ),
  )
  return [element('h4', { textContent: 'Answers' }), element('table', {}, element('tbody', {}, ...rows))]
}

async function send(path, method, operation, inputs, body, bodyType, output) {
  let url = path
  const query = new URLSearchParams()
  for (const [parameter, input] of inputs) {
    if (parameter.in === 'path') url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value))
    else if (input.value !== '') query.set(parameter.name, input.value)
  }
  if (query.size > 0) url += `?${query}`
  const token = document.querySelector('#token').value.trim()
  const headers = { ...(body ? { 'content-type': bodyType } : {}), ...(token === '' ? {} : { authorization: `Bearer ${token}` }) }
  output.textContent = '…'
  try {
    const response = await fetch(url, { method, headers, ...(body ? { body: body.value } : {}) })
    const text = await response.text()
    output.textContent = `${response.status} ${response.statusText}   ${response.headers.get('x-request-id') ?? ''}\n\n${pretty(text)}`
  } catch (error) {
    output.textContent = String(error)
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text.slice(0, 20_000)
  }
}

function tryOf(path, method, operation) {
  const inputs = (operation.parameters ?? []).map((parameter) => {
    const start = parameter.in === 'path' ? (examples[parameter.name] ?? '') : ''
    return [parameter, element('input', { value: start, placeholder: parameter.description ?? '' })]
  })
  const [bodyType, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? []
  const isForm = bodyType === 'application/x-www-form-urlencoded'
  const start = content && exampleOf(content.schema, '')
  const body =
    content &&
    element('textarea', { value: isForm ? new URLSearchParams(start).toString() : JSON.stringify(start, null, 2), spellcheck: false })
  const output = element('pre', { textContent: '' })
  const button = element('button', { type: 'button', textContent: 'Send' })
  button.addEventListener('click', () => send(path, method, operation, inputs, body, bodyType, output))
  return [
    element('h4', { textContent: 'Try it' }),
    ...inputs.map(([parameter, input]) =>
      element(
        'label',
        {},
        `${parameter.name} (${parameter.in}${parameter.required ? '' : ', optional'}, ${typeOf(parameter.schema)})`,
        input,
      ),
    ),
    ...(body ? [element('label', {}, bodyType, body)] : []),
    button,
    output,
  ]
}

function operationOf(path, method, operation) {
  const access = operation['x-access'] === 'operator' ? 'operators' : operation.security?.length ? 'token' : 'public'
  const details = element(
    'details',
    { id: operation.operationId },
    element(
      'summary',
      {},
      element('span', { className: 'method', textContent: method.toUpperCase() }),
      element('code', { textContent: path }),
      ` ${operation.summary} `,
      element('span', { className: 'weak', textContent: access }),
    ),
  )
  // Drawn when opened: the whole document at once would be thousands of rows.
  details.addEventListener('toggle', () => {
    if (details.childElementCount > 1) return
    const success = Object.entries(operation.responses).find(([status]) => status.startsWith('2'))?.[1]
    const inside = element('div')
    if (operation.description) inside.append(element('p', { textContent: operation.description }))
    inside.append(
      ...tableOf('Body', Object.values(operation.requestBody?.content ?? {})[0]?.schema),
      ...tableOf('Reply', Object.values(success?.content ?? {})[0]?.schema),
      ...responsesOf(operation),
      ...tryOf(path, method.toUpperCase(), operation),
    )
    details.append(inside)
  })
  return details
}

const response = await fetch(documentUrl)
const openapi = await response.json()
const container = document.querySelector('#operations')
container.replaceChildren()
for (const { name } of openapi.tags) {
  const section = element('section', {}, element('h2', { textContent: name }))
  for (const [path, methods] of Object.entries(openapi.paths))
    for (const [method, operation] of Object.entries(methods))
      if (operation.tags.includes(name)) section.append(operationOf(path, method, operation))
  container.append(section)
}

document.querySelector('#find').addEventListener('input', (event) => {
  const wanted = event.target.value.toLowerCase()
  for (const details of container.querySelectorAll('details'))
    details.hidden = !details.firstElementChild.textContent.toLowerCase().includes(wanted)
  for (const section of container.querySelectorAll('section')) section.hidden = !section.querySelector('details:not([hidden])')
})
