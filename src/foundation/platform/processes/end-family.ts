import type { ProcessEntry, ProcessTable } from './process-table.ts'

export interface EndFamily {
  /** The living processes of the family, read afresh. */
  alive(): Promise<readonly ProcessEntry[]>
  /** The process group that the main process made; null when it never started. */
  readonly group: number | null
  readonly table: ProcessTable
  /** Waits, at most this long; may come back early when something changed. */
  pause(ms: number): Promise<void>
  /** Milliseconds that only ever grow. */
  monotonic(): number
  /** Time between SIGTERM and SIGKILL. */
  readonly graceMs: number
  /** Time after the first SIGKILL until what is left is given up and reported. Default 5,000. */
  readonly killMs?: number
}

/** SIGTERM, time to react, SIGKILL until nothing is left. Resolves to the processes that could not be ended. */
export async function endFamily(end: EndFamily): Promise<readonly ProcessEntry[]> {
  const killAt = end.monotonic() + end.graceMs
  const giveUpAt = killAt + (end.killMs ?? 5_000)
  let alive = await end.alive()
  signalAll(end, alive, 'SIGTERM')
  // A stopped process sees the signal only when it goes on.
  signalAll(end, alive, 'SIGCONT')
  for (let wait = 10; alive.length > 0; wait = Math.min(wait * 2, 100)) {
    const left = killAt - end.monotonic()
    await end.pause(left > 0 ? Math.min(wait, left) : Math.min(wait, 20))
    alive = await end.alive()
    if (alive.length === 0 || end.monotonic() < killAt) continue
    // Again and again: a process may have forked between the reading and the signal.
    signalAll(end, alive, 'SIGKILL')
    if (end.monotonic() > giveUpAt) return alive
  }
  return alive
}

function signalAll(end: EndFamily, alive: readonly ProcessEntry[], signal: NodeJS.Signals): void {
  if (end.group !== null && alive.some((entry) => entry.group === end.group)) send(-end.group, signal)
  for (const entry of alive) {
    // Read once more, so that a number which has just passed to a stranger is left alone.
    if (entry.group !== end.group && end.table.find(entry.pid)?.start === entry.start) send(entry.pid, signal)
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // ESRCH: it ended by itself. EPERM: it took other rights (setuid); it stays alive and is reported.
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'ESRCH' && code !== 'EPERM') throw error
  }
}
