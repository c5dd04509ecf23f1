import { statSync } from 'node:fs'

/** A process that is starting a program shows no environment for a moment, so one look is not enough. */
const doubtMs = 1_000

/**
 * Processes that were looked at and belong to nobody here, so that a scan need not read them again. They are told by the
 * inode of their folder in /proc: as long as it is the same, so is the process, whatever becomes of its number. (The kernel
 * may forget an inode and give out another; then the process is just read once more.)
 */
export class ForeignProcesses {
  readonly #monotonic: () => number
  #before = new Map<number, { readonly inode: number; readonly since: number }>()
  #looked = new Map<number, { readonly inode: number; readonly since: number }>()

  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic
  }

  /** Whether the process needs no look. Ask once per scan for each. */
  isKnown(pid: number): boolean {
    const inode = statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.ino
    if (inode === undefined) return false
    const now = this.#monotonic()
    const before = this.#before.get(pid)
    const look = before?.inode === inode ? before : { inode, since: now }
    this.#looked.set(pid, look)
    return now - look.since >= doubtMs
  }

  /** Ends a scan: whatever was there, but is not `owned`, is foreign, if that stays so for a while. */
  settle(owned: ReadonlySet<number>): void {
    for (const pid of owned) this.#looked.delete(pid)
    this.#before = this.#looked
    this.#looked = new Map()
  }
}
