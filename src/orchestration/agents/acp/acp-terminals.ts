import { randomUUID } from 'node:crypto'
import type {
  CreateTerminalRequest,
  TerminalExitStatus,
  TerminalOutputResponse,
  WaitForTerminalExitResponse,
} from '@agentclientprotocol/sdk'
import type { Assignment } from '../../runners/exchange-contract.ts'
import { type AgentProcess, type AgentProcessHost, startAgentProcess } from '../sessions/agent-process.ts'
import type { SessionContext } from '../sessions/agent-session.ts'
import type { PathGuard } from '../sessions/path-guard.ts'
import { sessionErrors } from '../sessions/session-errors.ts'

const mostTerminals = 16
const mostOutputBytes = 1_048_576
const usualOutputBytes = 262_144
const graceMs = 1_000

interface Terminal {
  readonly process: AgentProcess
  readonly limit: number
  chunks: Buffer
  truncated: boolean
  exit: TerminalExitStatus | null
  readonly exited: Promise<TerminalExitStatus>
}

/** Commands that an agent runs through us: in its worktree, within its bounds, ended with the attempt. */
export class AcpTerminals {
  readonly #terminals = new Map<string, Terminal>()
  readonly #processes: AgentProcessHost
  readonly #assignment: Assignment
  readonly #context: SessionContext
  readonly #guard: PathGuard
  #closed = false
  #survivors = 0

  constructor(processes: AgentProcessHost, assignment: Assignment, context: SessionContext, guard: PathGuard) {
    this.#processes = processes
    this.#assignment = assignment
    this.#context = context
    this.#guard = guard
  }

  async create(request: CreateTerminalRequest): Promise<string> {
    if (this.#closed) throw sessionErrors['agent-protocol']('the session is over')
    if (this.#terminals.size >= mostTerminals) {
      throw sessionErrors['agent-limit'](`${mostTerminals} terminals are open; release some`)
    }
    const cwd = await this.#guard.inside(request.cwd ?? '.')
    const limit = Math.min(request.outputByteLimit ?? usualOutputBytes, mostOutputBytes)
    const env = Object.fromEntries((request.env ?? []).map(({ name, value }) => [name, value]))
    const take = (chunk: Buffer) => {
      this.#context.progress()
      const all = Buffer.concat([terminal.chunks, chunk])
      terminal.truncated ||= all.length > limit
      terminal.chunks = Buffer.from(all.subarray(Math.max(0, all.length - limit)))
      return this.#context.log('stderr', chunk)
    }
    const exited = Promise.withResolvers<TerminalExitStatus>()
    const terminal: { -readonly [Key in keyof Terminal]: Terminal[Key] } = {
      process: undefined as unknown as AgentProcess,
      ...{ limit, chunks: Buffer.alloc(0), truncated: false, exit: null, exited: exited.promise },
    }
    terminal.process = await startAgentProcess(this.#processes, {
      assignment: this.#assignment,
      context: this.#context,
      argv: [request.command, ...(request.args ?? [])],
      ...{ env, cwd, stdin: 'none', onStdout: take, onStderr: take, graceMs },
    })
    const id = `term_${randomUUID()}`
    this.#terminals.set(id, terminal)
    terminal.process.ended.then(
      (end) => {
        this.#survivors += end.survivors
        terminal.exit = { exitCode: end.exitCode, signal: end.signal }
        exited.resolve(terminal.exit)
      },
      (error: unknown) => exited.reject(error),
    )
    exited.promise.catch(() => {})
    return id
  }

  output(id: string): TerminalOutputResponse {
    const terminal = this.#find(id)
    // Of a cut character at the beginning nothing is shown.
    const output = terminal.chunks.toString('utf8').replace(/^�+/, '')
    return {
      output: this.#context.masker.text(output),
      truncated: terminal.truncated,
      ...(terminal.exit === null ? {} : { exitStatus: terminal.exit }),
    }
  }

  waitForExit(id: string): Promise<WaitForTerminalExitResponse> {
    return this.#find(id).exited
  }

  kill(id: string): void {
    this.#find(id).process.stop(graceMs)
  }

  async release(id: string): Promise<void> {
    const terminal = this.#find(id)
    terminal.process.stop(graceMs)
    await terminal.exited
    this.#terminals.delete(id)
  }

  /** Ends all of them; resolves to the number of processes that could not be ended. */
  async close(): Promise<number> {
    this.#closed = true
    for (const { process } of this.#terminals.values()) process.stop(graceMs)
    await Promise.allSettled([...this.#terminals.values()].map(({ exited }) => exited))
    return this.#survivors
  }

  #find(id: string): Terminal {
    const terminal = this.#terminals.get(id)
    if (terminal === undefined) throw sessionErrors['agent-protocol'](`there is no terminal ${id.slice(0, 100)}`)
    return terminal
  }
}
