import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { AppError } from '../../kernel/errors.ts'
import { failpoint } from '../../kernel/failpoints.ts'
import { gitErrors } from './git-errors.ts'

export interface GitStart {
  readonly args: readonly string[]
  readonly cwd: string
  readonly environment: Readonly<Record<string, string>>
  readonly input: string | Uint8Array | AsyncIterable<string | Uint8Array> | undefined
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number | undefined
  readonly exitCodes: readonly number[] | undefined
}

export interface GitProcess {
  /** Standard output; throws git's error once it has ended badly. */
  output(): AsyncGenerator<Buffer, { readonly stderr: string; readonly exitCode: number }, undefined>
}

const keptStderr = 16_384
const killAfterMs = 2_000

/** Starts git in a process group of its own, so that ending it takes its helpers along. */
export function startGit(start: GitStart): GitProcess {
  start.signal?.throwIfAborted()
  failpoint('git.spawn.before')
  const child = spawnGit(start)
  failpoint('git.spawn.after')
  let stderr = ''
  let stopped: AppError | Error | null = null
  let killTimer: NodeJS.Timeout | undefined
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < keptStderr) stderr = (stderr + text).slice(0, keptStderr)
  })
  const ended = new Promise<{ code: number | null; signal: string | null; failure: NodeJS.ErrnoException | null }>(
    (resolve) => {
      child.on('error', (failure) => resolve({ code: null, signal: null, failure }))
      child.on('close', (code, signal) => resolve({ code, signal, failure: null }))
    },
  )
  const stop = (reason: AppError | Error) => {
    if (stopped !== null || child.pid === undefined || child.exitCode !== null) return
    stopped = reason
    signalGroup(child.pid, 'SIGTERM')
    killTimer = setTimeout(() => signalGroup(child.pid!, 'SIGKILL'), killAfterMs)
    child.stdout.destroy()
  }
  const onAbort = () => stop(start.signal?.reason instanceof Error ? start.signal.reason : new Error('aborted'))
  start.signal?.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => {
    stop(gitErrors['git-timeout'](`git ${commandOf(start.args)} took longer than ${start.timeoutMs} ms`))
  }, start.timeoutMs ?? 60_000)
  const fed = feed(child.stdin, start.input)
  ended.then(() => {
    clearTimeout(timer)
    clearTimeout(killTimer)
    start.signal?.removeEventListener('abort', onAbort)
  })

  return {
    async *output() {
      try {
        yield* readOutput(child)
        const end = await ended
        if (stopped !== null) throw stopped
        if (end.failure !== null) throw startFailure(end.failure, start.cwd)
        const exitCode = end.code ?? -1
        if (!(start.exitCodes ?? [0]).includes(exitCode)) throw exitFailure(start, exitCode, end.signal, stderr)
        const inputFailure = await fed
        if (inputFailure !== null) throw inputFailure
        return { stderr, exitCode }
      } finally {
        stop(new Error('the reader left'))
        await ended
      }
    },
  }
}

function spawnGit(start: GitStart): ChildProcessByStdio<Writable, Readable, Readable> {
  try {
    return spawn('git', start.args, {
      cwd: start.cwd,
      env: start.environment,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  } catch (error) {
    // Node reports some failures of the system by an event and others, such as ENOTDIR, at once.
    throw startFailure(error as NodeJS.ErrnoException, start.cwd)
  }
}

/** Everything git prints, up to `maxBytes`. */
export async function collectOutput(process: GitProcess, maxBytes: number) {
  const chunks: Buffer[] = []
  let bytes = 0
  const output = process.output()
  for (;;) {
    const step = await output.next()
    if (step.done) return { stdout: Buffer.concat(chunks), ...step.value }
    bytes += step.value.length
    if (bytes > maxBytes) {
      await output.return({ stderr: '', exitCode: -1 })
      throw gitErrors['git-output-too-large'](`git printed more than ${maxBytes} bytes`)
    }
    chunks.push(step.value)
  }
}

async function* readOutput(child: ChildProcessByStdio<Writable, Readable, Readable>): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer
  } catch (error) {
    // A stream that was destroyed because git is being stopped is explained by the reason of the stop.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

/** Git may end without having read everything; what its exit code says counts, not the broken pipe. */
async function feed(stdin: Writable, input: GitStart['input']): Promise<Error | null> {
  stdin.on('error', () => {})
  if (input === undefined || typeof input === 'string' || input instanceof Uint8Array) {
    stdin.end(input)
    return null
  }
  try {
    await pipeline(Readable.from(input, { objectMode: true }), stdin)
    return null
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    return code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ERR_STREAM_DESTROYED'
      ? null
      : (error as Error)
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function startFailure(failure: NodeJS.ErrnoException, cwd: string): AppError {
  const options = { cause: failure, details: { cwd } }
  if (failure.code === 'ENOENT' && statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true) {
    return gitErrors['not-a-repository'](`${cwd} is not a folder`, options)
  }
  if (failure.code === 'ENOENT') return gitErrors['git-missing']('git is not installed, or not on the PATH', options)
  if (failure.code === 'ENOTDIR') return gitErrors['not-a-repository'](`${cwd} is not a folder`, options)
  return gitErrors['git-failed'](`git could not be started: ${failure.message}`, options)
}

function exitFailure(start: GitStart, exitCode: number, signal: string | null, stderr: string): AppError {
  const said = stderr.trim()
  const options = { details: { args: start.args, exitCode, signal, stderr: said, cwd: start.cwd } }
  if (/not a git repository|must be run in a work tree|not a git dir/i.test(said)) {
    return gitErrors['not-a-repository'](`${start.cwd} is not inside a git repository`, options)
  }
  const end = signal === null ? `exit code ${exitCode}` : `signal ${signal}`
  return gitErrors['git-failed'](`git ${commandOf(start.args)}: ${said === '' ? end : said.slice(0, 2_000)}`, options)
}

function commandOf(args: readonly string[]): string {
  return args.find((argument) => !argument.startsWith('-')) ?? ''
}
