// Completes package-lock.json: npm leaves out optional packages of other platforms that the registry it asked did not have, and
// `npm ci` then refuses the lock everywhere. What is missing is added with its version and platform; `--check` only says whether any is.
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
const systems = { android: 'android', darwin: 'darwin', freebsd: 'freebsd', linux: 'linux', openharmony: 'openharmony', win32: 'win32' }
const processors = { arm: 'arm', arm64: 'arm64', ia32: 'ia32', ppc64: 'ppc64', riscv64: 'riscv64', s390x: 's390x', x64: 'x64' }

const missing = {}
for (const [place, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isThere(place, name)) continue
    const parts = name.split('/').at(-1).split('-')
    const os = parts.map((part) => systems[part]).find(Boolean)
    const cpu = parts.map((part) => processors[part]).find(Boolean)
    if (!os || !cpu || !/^\d+\.\d+\.\d+/.test(version))
      throw new Error(`${name}@${version} of ${place} is missing and its platform cannot be told`)
    missing[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(entry.dev ? { dev: true } : {}),
      ...(os === 'linux' && parts.includes('gnu')
        ? { libc: ['glibc'] }
        : os === 'linux' && parts.includes('musl')
          ? { libc: ['musl'] }
          : {}),
      optional: true,
      os: [os],
      ...(entry.engines ? { engines: entry.engines } : {}),
    }
  }
}

const names = Object.keys(missing)
if (names.length > 0 && process.argv.includes('--check')) {
  process.stderr.write(
    `package-lock.json lacks ${names.length} optional packages, so that npm ci fails; run node .ci/complete-lock.mjs:\n${names.join('\n')}\n`,
  )
  process.exit(1)
}
if (names.length > 0) {
  const { '': root, ...packages } = { ...lock.packages, ...missing }
  const sorted = Object.keys(packages).sort((a, b) => a.localeCompare(b, 'en'))
  lock.packages = { '': root, ...Object.fromEntries(sorted.map((place) => [place, packages[place]])) }
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
}
process.stdout.write(`${names.length} added\n`)

// As Node resolves: beside the package that asks, or in a folder above it.
function isThere(place, name) {
  for (let folder = place; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (lock.packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]) return true
    if (folder === '') return false
  }
}
