import { spawn } from 'node:child_process'

export interface CommandEnd {
  readonly argv: readonly string[]
  /** Null: it was ended by a signal, ran out of time, or could not be started. */
  readonly exitCode: number | null
  readonly ms: number
  readonly timedOut: boolean
  /** The beginning and the end of what it printed on both streams. */
  readonly output: string
  /** Why it could not be started. */
  readonly error: string | null
}

export interface CommandOptions {
  readonly cwd: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly env?: Readonly<Record<string, string>>
  /** Characters kept. Default 400,000: half from the beginning, half from the end. */
  readonly keep?: number
}

/** Runs a program without a shell, in a group of its own that ends with it. Never rejects for what the program does. */
export function runCommand(argv: readonly string[], options: CommandOptions): Promise<CommandEnd> {
  const { cwd, timeoutMs, signal, env = {}, keep = 400_000 } = options
  const [program = '', ...args] = argv
  const from = performance.now()
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...inherited(), ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let head = ''
    let tail = ''
    let timedOut = false
    const take = (text: string) => {
      const room = keep / 2 - head.length
      head += text.slice(0, Math.max(0, room))
      tail = (tail + text.slice(Math.max(0, room))).slice(-keep / 2)
    }
    child.stdout.setEncoding('utf8').on('data', take)
    child.stderr.setEncoding('utf8').on('data', take)
    const end = () => endGroup(child.pid)
    const timer = setTimeout(() => {
      timedOut = true
      end()
    }, timeoutMs)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    const finish = (exitCode: number | null, error: string | null) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve({ argv, exitCode, ms: performance.now() - from, timedOut, output: head + tail, error })
    }
    child.once('error', (error) => finish(null, error.message))
    // What it left behind would disturb the next one that is measured.
    child.once('exit', end)
    child.once('close', (code) => finish(timedOut ? null : code, null))
  })
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** The repository's own tools decide by these whether anybody watches; nobody does. */
function inherited(): Record<string, string> {
  const own = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  // What makes us run must not make its programs run differently.
  const ours = /^(LEANVIBE_|NODE_OPTIONS$|NODE_TEST_|VITEST)/
  return {
    ...Object.fromEntries(own.filter(([name]) => !ours.test(name))),
    CI: 'true',
    NO_COLOR: '1',
    FORCE_COLOR: '0',
  }
}

/** `npm run test`: for people. */
export const shown = (argv: readonly string[]): string => argv.join(' ')

/** How it ended, in a few words. */
export function endText({ exitCode, timedOut, error, ms }: CommandEnd): string {
  if (error !== null) return `could not be started: ${error}`
  if (timedOut) return `ran out of time after ${seconds(ms)}`
  return exitCode === 0
    ? `passed in ${seconds(ms)}`
    : `failed with exit code ${exitCode ?? 'none'} after ${seconds(ms)}`
}

export function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`
}

/** The last lines of a text. */
export function lastLines(text: string, count: number, most = 4_000): string {
  return text.trimEnd().split('\n').slice(-count).join('\n').slice(-most)
}
