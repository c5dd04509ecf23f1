import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import type { FamilyTarget } from './find-families.ts'

export interface ProcessName {
  readonly pid: number
  readonly start: string
}

export interface JournalOwner {
  /** Null until it has started. */
  readonly supervisor: ProcessName | null
  readonly runner: ProcessName
  /** Machine, boot and process namespace in which the pids have a meaning. */
  readonly scope: string
}

type Line =
  | { readonly owner: JournalOwner }
  | { readonly open: string }
  | { readonly open: string; readonly main: ProcessName }
  | { readonly closed: string }

const compactAtBytes = 1_048_576

/** The attempts that a supervisor has alive, on disk: written before and after each spawn, so that none can be missed. */
export class ProcessJournal {
  readonly #path: string
  readonly #owner: JournalOwner
  readonly #open = new Map<string, ProcessName | null>()
  #file: number
  #bytes = 0

  constructor(path: string, owner: JournalOwner) {
    this.#path = path
    this.#owner = owner
    this.#file = openSync(path, 'a', 0o600)
    this.#bytes = fstatSync(this.#file).size
    this.#append({ owner })
  }

  /** @throws where it cannot be written: then nothing may be started */
  open(marker: string): void {
    this.#append({ open: marker })
    this.#open.set(marker, null)
  }

  started(marker: string, main: ProcessName): void {
    this.#open.set(marker, main)
    this.#note({ open: marker, main })
  }

  close(marker: string): void {
    this.#open.delete(marker)
    this.#note({ closed: marker })
  }

  dispose(): void {
    closeSync(this.#file)
  }

  /** On a full disk the marker that was written before the start is enough to find the processes, or to find that there are none. */
  #note(line: Line): void {
    try {
      this.#append(line)
      if (this.#bytes > compactAtBytes) this.#compact()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
    }
  }

  #append(line: Line): void {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
    const written = writeSync(this.#file, bytes)
    if (written < bytes.length) {
      // Half a line would swallow the next one.
      ftruncateSync(this.#file, this.#bytes)
      throw Object.assign(new Error('ENOSPC: the disk is full'), { code: 'ENOSPC' })
    }
    this.#bytes += bytes.length
  }

  #compact(): void {
    const lines: Line[] = [{ owner: this.#owner }]
    for (const [open, main] of this.#open) lines.push(main === null ? { open } : { open, main })
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
    writeFileSync(`${this.#path}.new`, text, { mode: 0o600 })
    renameSync(`${this.#path}.new`, this.#path)
    closeSync(this.#file)
    this.#file = openSync(this.#path, 'a', 0o600)
    this.#bytes = Buffer.byteLength(text)
  }
}

/** What a journal says; the last line may be torn and is left out then. Null when there is none, or it has no owner. */
export function readJournal(path: string): { owner: JournalOwner; open: FamilyTarget[] } | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  let owner: JournalOwner | null = null
  const open = new Map<string, ProcessName | null>()
  for (const part of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (part === '') continue
    const line = JSON.parse(part) as Partial<{ owner: JournalOwner; open: string; main: ProcessName; closed: string }>
    if (line.owner !== undefined) owner = line.owner
    if (line.open !== undefined) open.set(line.open, line.main ?? null)
    if (line.closed !== undefined) open.delete(line.closed)
  }
  return owner && { owner, open: [...open].map(([marker, main]) => ({ marker, main })) }
}
