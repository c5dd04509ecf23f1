import { type ClientApp, client, methods, RequestError } from '@agentclientprotocol/sdk'
import { isAppError, messageOf } from '../../../foundation/kernel/errors.ts'
import type { ToolKind } from '../../../foundation/platform/config/agent-kinds.ts'
import type { SessionContext } from '../sessions/agent-session.ts'
import type { PathGuard } from '../sessions/path-guard.ts'
import type { Permissions, Verdict } from '../sessions/permissions.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import type { SilenceWatch } from '../sessions/silence-watch.ts'
import { outcomeOf, wantedBy } from './acp-permissions.ts'
import type { AcpTerminals } from './acp-terminals.ts'
import { startedCallOf } from './acp-text.ts'
import { isGrantedTool } from './granted-tool.ts'
import { readLines } from './read-lines.ts'

/** Requests of an agent that may be open at a time. */
const mostOpen = 256
const passes: Verdict = { allowed: true, always: false, choice: null, by: 'policy', reason: null }
const notFound = -32_002
const invalid = -32_602

export interface AcpHandlersOptions {
  readonly context: SessionContext
  readonly guard: PathGuard
  readonly permissions: Permissions
  readonly terminals: AcpTerminals
  readonly silence: SilenceWatch
  /** Servers whose tools it is granted: each call of them is decided where it passes through us. */
  readonly toolServers: readonly string[]
  /** The agent has broken the protocol: the session ends. */
  readonly onBreach: (message: string) => void
}

/** What an agent may ask of us: permissions, files of its worktree, terminals. Everything goes by the policy of its pool. */
export function createAcpHandlers(options: AcpHandlersOptions): ClientApp {
  const { context, guard, permissions, terminals, silence } = options
  /** Kinds of actions that were granted through a request for permission and not yet used. */
  const granted = new Map<ToolKind, number>()
  let open = 0

  /** Counts what is open, and tells failures in the words of the protocol. */
  async function serve<T>(work: () => Promise<T>): Promise<T> {
    silence.heard()
    context.progress()
    if (open >= mostOpen) {
      const message = `it has more than ${mostOpen} requests open`
      options.onBreach(message)
      throw new RequestError(invalid, message)
    }
    open += 1
    try {
      return await work()
    } catch (error) {
      throw requestError(error, context)
    } finally {
      open -= 1
    }
  }

  /** What was not granted before is decided now. */
  async function admit(kind: ToolKind, title: string, details: Readonly<Record<string, string>>): Promise<void> {
    const left = granted.get(kind) ?? 0
    if (left > 0) {
      granted.set(kind, left - 1)
      return
    }
    const wanted = { key: `${kind}/${title}`.slice(0, 200), kind, title, outside: false, details }
    const verdict = await silence.waitFor(permissions.decide(wanted))
    if (!verdict.allowed) throw sessionErrors['permission-denied'](`${title}: ${verdict.reason ?? 'refused'}`)
  }

  return client({ name: 'leanvibe' })
    .onRequest(methods.client.session.requestPermission, ({ params }) =>
      serve(async () => {
        if (isGrantedTool(params.toolCall, options.toolServers)) return outcomeOf(params, passes)
        const wanted = await wantedBy(params, guard)
        // Some tell of a call only by asking for it.
        context.tools.started(params.toolCall.toolCallId, startedCallOf(params.toolCall))
        const verdict = await silence.waitFor(permissions.decide(wanted))
        if (!verdict.allowed) context.tools.ended(params.toolCall.toolCallId, 'refused')
        if (verdict.allowed) granted.set(wanted.kind, (granted.get(wanted.kind) ?? 0) + 1)
        const how = verdict.allowed ? 'allowed' : `refused (${verdict.reason ?? 'no'})`
        await context.note(`permission ${wanted.kind}: ${wanted.title}: ${how} by ${verdict.by}`)
        return outcomeOf(params, verdict)
      }),
    )
    .onRequest(methods.client.fs.readTextFile, ({ params }) =>
      serve(async () => {
        await guard.inside(params.path)
        await admit('read', params.path, { path: params.path })
        await using file = await guard.openToRead(params.path)
        return { content: await readLines(file, params.line ?? null, params.limit ?? null) }
      }),
    )
    .onRequest(methods.client.fs.writeTextFile, ({ params }) =>
      serve(async () => {
        await guard.inside(params.path)
        await admit('edit', params.path, { path: params.path })
        await using file = await guard.openToWrite(params.path)
        await file.writeFile(params.content)
        await context.note(`wrote ${params.path}`)
        return {}
      }),
    )
    .onRequest(methods.client.terminal.create, ({ params }) =>
      serve(async () => {
        const command = [params.command, ...(params.args ?? [])].join(' ').slice(0, 2_000)
        await admit('execute', command, { command })
        await context.note(`runs ${command}`)
        return { terminalId: await terminals.create(params) }
      }),
    )
    .onRequest(methods.client.terminal.output, ({ params }) => serve(async () => terminals.output(params.terminalId)))
    .onRequest(methods.client.terminal.waitForExit, ({ params }) =>
      serve(() => terminals.waitForExit(params.terminalId)),
    )
    .onRequest(methods.client.terminal.kill, ({ params }) =>
      serve(async () => {
        terminals.kill(params.terminalId)
        return {}
      }),
    )
    .onRequest(methods.client.terminal.release, ({ params }) =>
      serve(async () => {
        await terminals.release(params.terminalId)
        return {}
      }),
    )
}

function requestError(error: unknown, context: SessionContext): RequestError {
  if (error instanceof RequestError) return error
  const message = context.masker.text(messageOf(error))
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return new RequestError(notFound, 'there is no such file')
  return new RequestError(invalid, isAppError(error) ? `${error.code}: ${message}` : message)
}
