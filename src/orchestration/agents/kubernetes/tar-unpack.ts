import { copyFile, type FileHandle, mkdir, open, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { kubeErrors } from './kube-errors.ts'

const blockBytes = 512

interface Entry {
  readonly path: string
  readonly type: string
  readonly mode: number
  readonly size: number
  readonly target: string
}

export interface UnpackLimits {
  readonly bytes: number
  readonly entries: number
}

/**
 * Takes a tar archive from a stranger into an empty folder: nothing lands outside it, no link is ever followed, nothing
 * but files, folders and links is made, and it ends where it grows beyond its limits.
 */
export class TarUnpacker {
  readonly #folder: string
  readonly #limits: UnpackLimits
  /** What was made, by its path: nothing is made through anything but a folder of ours. */
  readonly #made = new Map<string, 'folder' | 'file' | 'link'>()
  #held: Buffer = Buffer.alloc(0)
  #file: FileHandle | null = null
  #entry: Entry | null = null
  #left = 0
  #padding = 0
  #text: Buffer[] = []
  #longPath: string | null = null
  #longTarget: string | null = null
  #bytes = 0
  #entries = 0
  #ended = false

  /** @param folder absolute, empty, and nobody else's */
  constructor(folder: string, limits: UnpackLimits) {
    this.#folder = folder
    this.#limits = limits
  }

  /** @throws pod-workspace */
  async write(chunk: Buffer): Promise<void> {
    if (this.#ended) return
    this.#bytes += chunk.length
    if (this.#bytes > this.#limits.bytes) throw broken(`more than ${this.#limits.bytes} bytes came back`)
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    while (rest.length > 0 && !this.#ended) {
      if (this.#left > 0) {
        const content = rest.subarray(0, this.#left)
        await this.#take(content)
        this.#left -= content.length
        rest = rest.subarray(content.length)
        if (this.#left === 0) await this.#finish()
      } else if (this.#padding > 0) {
        const skipped = Math.min(this.#padding, rest.length)
        this.#padding -= skipped
        rest = rest.subarray(skipped)
      } else {
        if (rest.length < blockBytes) break
        await this.#begin(rest.subarray(0, blockBytes))
        rest = rest.subarray(blockBytes)
      }
    }
    this.#held = Buffer.from(rest)
  }

  /** @throws pod-workspace where the archive is cut off */
  async end(): Promise<void> {
    await this.close()
    if (!this.#ended) throw broken('what came back is cut off')
  }

  /** Lets go of the file it was at, if it was at one. Called in any case. */
  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close()
  }

  async #begin(block: Buffer): Promise<void> {
    if (block.every((byte) => byte === 0)) {
      this.#ended = true
      return
    }
    if (!hasSum(block)) throw broken('what came back is no tar archive')
    const type = String.fromCharCode(block[156]!)
    const size = sizeOf(block)
    this.#left = size
    this.#padding = (blockBytes - (size % blockBytes)) % blockBytes
    const prefix = text(block, 345, 155)
    const short = text(block, 0, 100)
    const entry: Entry = {
      path:
        this.#longPath ??
        (prefix !== '' && text(block, 257, 5) === 'ustar' && block[262] === 0 ? `${prefix}/${short}` : short),
      type: type === '\0' ? '0' : type,
      mode: Number.parseInt(text(block, 100, 8).trim() || '0', 8),
      size,
      target: this.#longTarget ?? text(block, 157, 100),
    }
    this.#entry = entry
    if ('LKxg'.includes(entry.type)) {
      if (size > 1_048_576) throw broken('a name in it is too long')
      this.#text = []
    } else {
      this.#longPath = null
      this.#longTarget = null
      await this.#make(entry)
    }
    if (size === 0) await this.#finish()
  }

  async #make({ path: named, type, mode, target }: Entry): Promise<void> {
    this.#entries += 1
    if (this.#entries > this.#limits.entries) throw broken(`more than ${this.#limits.entries} files came back`)
    const path = cleanPath(named)
    if (path === null) throw broken(`${JSON.stringify(named.slice(0, 200))} leads out of the workspace`)
    if (path === '') return
    const place = join(this.#folder, path)
    if (type === '5') {
      await this.#folders(path)
      return
    }
    if (!'0127'.includes(type)) return
    if (this.#made.has(path)) throw broken(`${path} is in it twice`)
    await this.#folders(dirname(path))
    if (type === '2') {
      this.#made.set(path, 'link')
      await symlink(target, place)
    } else if (type === '1') {
      // A further name of a file: a copy, because what it names may be a link of somebody's making.
      const source = cleanPath(target)
      if (source === null || this.#made.get(source) !== 'file') throw broken(`${path} is a link to no file in it`)
      this.#made.set(path, 'file')
      await copyFile(join(this.#folder, source), place)
    } else {
      this.#made.set(path, 'file')
      this.#file = await open(place, 'wx', (mode & 0o111) === 0 ? 0o644 : 0o755)
    }
  }

  async #folders(path: string): Promise<void> {
    if (path === '.' || path === '') return
    const made = this.#made.get(path)
    if (made === 'folder') return
    if (made !== undefined) throw broken(`${path} is a folder and is none`)
    await this.#folders(dirname(path))
    this.#made.set(path, 'folder')
    await mkdir(join(this.#folder, path))
  }

  async #take(content: Buffer): Promise<void> {
    if (this.#file !== null) await this.#file.write(content)
    else if (this.#entry !== null && 'LKxg'.includes(this.#entry.type)) this.#text.push(Buffer.from(content))
  }

  async #finish(): Promise<void> {
    const entry = this.#entry
    this.#entry = null
    await this.#file?.close()
    this.#file = null
    if (entry === null) return
    const said = Buffer.concat(this.#text)
    this.#text = []
    if (entry.type === 'L') this.#longPath = said.toString('utf8').replace(/\0.*$/s, '')
    if (entry.type === 'K') this.#longTarget = said.toString('utf8').replace(/\0.*$/s, '')
    if (entry.type !== 'x') return
    for (const [name, value] of recordsOf(said)) {
      if (name === 'path') this.#longPath = value
      if (name === 'linkpath') this.#longTarget = value
    }
  }
}

/** Without leading `./` and trailing `/`; null where it leads out. */
function cleanPath(path: string): string | null {
  if (path.startsWith('/') || path.includes('\0')) return null
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  return parts.includes('..') ? null : parts.join('/')
}

/** `LENGTH NAME=VALUE\n`, again and again. */
function* recordsOf(content: Buffer): Generator<readonly [string, string]> {
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(32, at)
    const length = Number(content.subarray(at, space).toString('latin1'))
    if (space === -1 || !Number.isInteger(length) || length <= 0) throw broken('a header in it cannot be read')
    const [name = '', ...value] = content
      .subarray(space + 1, at + length - 1)
      .toString('utf8')
      .split('=')
    yield [name, value.join('=')]
    at += length
  }
}

function text(block: Buffer, at: number, length: number): string {
  const bytes = block.subarray(at, at + length)
  const end = bytes.indexOf(0)
  return bytes.subarray(0, end === -1 ? length : end).toString('utf8')
}

function sizeOf(block: Buffer): number {
  const size =
    (block[124]! & 0x80) !== 0
      ? Number(block.readBigUInt64BE(128))
      : Number.parseInt(text(block, 124, 12).trim() || '0', 8)
  if (!Number.isSafeInteger(size) || size < 0) throw broken('a size in it cannot be read')
  return size
}

function hasSum(block: Buffer): boolean {
  let sum = 0
  for (let at = 0; at < blockBytes; at++) sum += at >= 148 && at < 156 ? 32 : block[at]!
  return sum === Number.parseInt(text(block, 148, 8).trim(), 8)
}

function broken(message: string) {
  return kubeErrors['pod-workspace'](message)
}
