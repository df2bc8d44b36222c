import { readdir } from 'node:fs/promises'
import path from 'node:path'

const skippedFolders = new Set(['node_modules', '.git', '.maru', 'coverage', 'dist', 'results', 'fixtures'])

/** Paths of all files under `root` whose name ends in one of `endings`, relative to it with forward slashes, sorted. Generated and fixture folders are left out. */
export async function sourceFiles(root: string, endings: readonly string[]): Promise<string[]> {
  const found: string[] = []
  const pending = ['']
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const entry of await readdir(path.join(root, folder), { withFileTypes: true })) {
      const relative = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory() && !skippedFolders.has(entry.name)) pending.push(relative)
      else if (entry.isFile() && endings.some((ending) => entry.name.endsWith(ending))) found.push(relative)
    }
  }
  return found.sort()
}
