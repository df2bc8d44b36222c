import { chmod, mkdir, open, readdir, rm, statfs, truncate } from 'node:fs/promises'
import path from 'node:path'
import { isInOwnNamespaces, runProgram, works } from './namespace.ts'

const sizeBytes = 4 * 2 ** 30
const fillerName = 'filler'

/** A small disk of its own in a file, which can be filled without harm to anyone else. */
export class Disk {
  readonly folder: string
  readonly #filler: string

  private constructor(folder: string) {
    this.folder = folder
    this.#filler = path.join(folder, fillerName)
  }

  /** Makes a file in `parent` a disk; undefined where the machine does not let it be mounted. */
  static async mount(parent: string): Promise<Disk | undefined> {
    if (!isInOwnNamespaces()) return undefined
    const image = path.join(parent, 'disk.img')
    const folder = path.join(parent, 'home')
    try {
      await (await open(image, 'w')).close()
      await truncate(image, sizeBytes)
      await runProgram('mkfs.ext4', ['-q', '-m', '0', image])
      await mkdir(folder)
      await runProgram('mount', ['-o', 'loop', image, folder])
    } catch {
      await rm(image, { force: true })
      return undefined
    }
    // PostgreSQL runs as another user than root and must reach its folder in here.
    await chmod(parent, 0o755)
    await chmod(folder, 0o755)
    return new Disk(folder)
  }

  /** Takes all that is left. Blocks are reserved, not written, so that the disk is full at once and not busy. */
  async fill(): Promise<void> {
    const { bavail, bsize } = await statfs(this.folder)
    for (let length = bavail * bsize, piece = 0; length >= bsize; piece++) {
      const fits = await works('fallocate', ['--length', String(length), `${this.#filler}.${piece}`])
      // What the file system keeps for itself is not told: ever smaller pieces, until the last block is taken.
      if (!fits) length = Math.floor(length / 2)
    }
  }

  async free(): Promise<void> {
    for (const name of await readdir(this.folder)) if (name.startsWith(fillerName)) await rm(path.join(this.folder, name))
  }

  async unmount(): Promise<void> {
    await runProgram('umount', ['--lazy', this.folder]).catch(() => undefined)
  }
}
