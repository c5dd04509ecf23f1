import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bin, briefNode } from '../support/run-cli.ts'

export interface CrashedProcess {
  readonly pid: number
  readonly start: string
  readonly command: string
}

export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Cli {
  readonly child: ChildProcess
  readonly ended: Promise<End>
  /** When it was gone, by `performance.now()`; null while it is there. */
  readonly goneAt: () => number | null
  /** Resolves with the first output, or at the end: the platform is up, and all that former ones left is dealt with. */
  readonly spoke: Promise<void>
  readonly stdout: () => string
}

export interface CliSettings {
  readonly env?: Readonly<Record<string, string>>
  /** SIGTERM after this long, which no test takes for a crash. Default 240 s. */
  readonly timeoutMs?: number
}

/** A folder with a repository and a data folder, whose processes can be told from all others of the machine. */
export class CrashPlace {
  readonly folder: string
  readonly repo: string
  readonly data: string

  constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `leanvibe-crash-${name}-`))
    this.repo = join(this.folder, 'repo')
    this.data = join(this.folder, 'data')
    execFileSync('git', ['init', '--quiet', this.repo])
    const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.org']
    execFileSync('git', ['-C', this.repo, ...author, 'commit', '--quiet', '--allow-empty', '--message', 'first'])
  }

  /** Starts the real command line. Nothing but a failpoint, or a test that says so, ends it by SIGKILL. */
  cli(args: readonly string[], { env = {}, timeoutMs = 240_000 }: CliSettings = {}): Cli {
    const brief = args[0] !== 'work'
    const child = spawn(process.execPath, [...(brief ? briefNode : []), bin, ...args, '--json', '--data', this.data], {
      cwd: this.folder,
      env: { PATH: process.env.PATH ?? '', HOME: this.folder, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    const spoke = Promise.withResolvers<void>()
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      spoke.resolve()
    })
    let goneAt: number | null = null
    child.once('exit', () => {
      goneAt = performance.now()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const timer = setTimeout(() => child.kill('SIGTERM'), timeoutMs)
    const ended = new Promise<End>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        clearTimeout(timer)
        spoke.resolve()
        resolve({ code, signal, stdout, stderr })
      })
    })
    return { child, ended, spoke: spoke.promise, stdout: () => stdout, goneAt: () => goneAt }
  }

  /** Living processes of attempts that belong to this place, wherever they went. */
  processes(): CrashedProcess[] {
    return listProcesses().flatMap((pid) => {
      const environment = read(pid, 'environ').split('\0')
      const ours =
        environment.some((line) => line.startsWith('LEANVIBE_ATTEMPT=')) &&
        environment.some((line) => line.startsWith('PLACE=') && line.endsWith(this.folder))
      return ours ? describe(pid) : []
    })
  }

  /** Living supervisors of this place. */
  supervisors(): CrashedProcess[] {
    return listProcesses().flatMap((pid) =>
      folderOf(pid).startsWith(join(this.data, 'processes')) ? describe(pid) : [],
    )
  }

  /** Waits until no process of an attempt is left; resolves to the milliseconds since `from`, the moment of the kill. */
  async untilQuiet(from: number = performance.now(), limitMs = 20_000): Promise<number> {
    for (;;) {
      const left = this.processes()
      const took = performance.now() - from
      if (left.length === 0) return took
      if (took > limitMs) throw new Error(`still there after ${limitMs} ms: ${JSON.stringify(left)}`)
      await sleep(20)
    }
  }

  worktrees(): string[] {
    const text = execFileSync('git', ['-C', this.repo, 'worktree', 'list', '--porcelain'], { encoding: 'utf8' })
    return text.split('\n').filter((line) => line.startsWith('worktree '))
  }

  workspaces(): string[] {
    return names(join(this.data, 'workspaces'))
  }

  /** Item and attempt of each task that did its work, in order, also of attempts that were lost afterwards. */
  effects(): { readonly item: number; readonly attempt: string }[] {
    const lines = readFileSync(join(this.folder, 'effects'), 'utf8').trim().split('\n')
    return lines.map((line) => {
      const [item = '', attempt = ''] = line.split(' ')
      return { item: Number(item), attempt }
    })
  }

  async remove(): Promise<void> {
    for (const { pid } of [...this.supervisors(), ...this.processes()]) end(pid)
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** The run that an output tells about. */
export function runIn(stdout: string): string {
  const id = /"runId":"(run_[a-z0-9]+)"/.exec(stdout)?.[1]
  if (id === undefined) throw new Error(`no run in ${stdout.slice(0, 500)}`)
  return id
}

/** What went wrong in an output, for the message of a failed expectation. */
export function failuresIn({ stdout, stderr }: End): string {
  const lines = stdout
    .split('\n')
    .filter((line) => /"type":"(result|(run|step|task)\.(failed|timed-out|cancelled))"/.test(line))
  return [...lines, stderr].join('\n')
}

export function isRunning({ pid, start }: CrashedProcess): boolean {
  return describe(pid)[0]?.start === start
}

function describe(pid: number): CrashedProcess[] {
  const stat = read(pid, 'stat')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (stat === '' || fields[0] === 'Z') return []
  return [{ pid, start: fields[19] ?? '', command: read(pid, 'cmdline').replaceAll('\0', ' ').slice(0, 200) }]
}

function listProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** Empty where the process is gone, or another's. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

function folderOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return ''
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
