import type { RunnerServer } from '../../app/join/runner-server.ts'
import { errorOfProblem } from '../../client/call.ts'
import { type Client, createClient } from '../../client/client.ts'
import { clientErrors } from '../../client/client-errors.ts'
import { createRetry } from '../../client/retry.ts'
import { isAppError } from '../../foundation/kernel/errors.ts'
import {
  appendRunnerLogs,
  appendRunnerToolCalls,
  askForRunner,
  deliverCommit,
  drainRunner,
  exchangeWork,
  fetchRepository,
  finishArtifact,
  grantModelKey,
  registerRunner,
  removeRunner,
  runnerHints,
  uploadPiece,
} from '../../orchestration/remote-runners/remote-runners-contract.ts'
import { runnerContract } from '../../orchestration/remote-runners/runner-versions-contract.ts'
import { createRunnerToken, renewRunnerToken } from '../../security/authn/keys-contract.ts'
import { createLeaseServices } from './lease-services.ts'

export interface JoinedServersOptions {
  /** Servers of one database, in the order in which they are tried. */
  readonly urls: readonly string[]
  readonly key: string
  readonly fetch?: (input: string, init: RequestInit) => Promise<Response>
  readonly onError: (error: unknown) => void
}

export interface JoinedServers extends RunnerServer, AsyncDisposable {
  /** Takes a short-lived token in place of the key, where it may, and keeps it fresh from then on. */
  start(host: string): Promise<void>
}

const tokenSeconds = 900
const renewEveryMs = (tokenSeconds * 1_000) / 3

/** The servers that a runner has joined: one is asked, and the next where it does not answer. */
export function createJoinedServers({ urls, key, fetch: send = fetch, onError }: JoinedServersOptions): JoinedServers {
  let at = 0
  let token = key
  let renewal: NodeJS.Timeout | null = null
  const url = () => urls[at]!
  const client = (): Client => createClient({ url: url(), token, fetch: send })
  const patience = createRetry()

  /** On every server once, beginning with the one that answered last. */
  async function anywhere<T>(ask: (client: Client) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        return await ask(client())
      } catch (error) {
        if (signal?.aborted || tried === urls.length || !isElsewhere(error)) throw error
        at = (at + 1) % urls.length
      }
    }
  }

  /** As `anywhere`, and again after a while: for what has no other way of being repeated. */
  const patiently = <T>(ask: (client: Client) => Promise<T>, signal?: AbortSignal) =>
    patience.execute(() => anywhere(ask, signal), signal)

  const body = (host: string) => ({ name: `runner ${host}`.slice(0, 100), expiresIn: tokenSeconds })
  const trade = async (host: string) => {
    token = (await patiently((each) => each.call(createRunnerToken, { body: body(host) }))).token
  }
  const renew = async () => {
    const next = await patiently((each) => each.call(renewRunnerToken, { body: { expiresIn: tokenSeconds } }))
    token = next.token
  }
  /** While no server answered, the token may have come to its end; what it was traded for has not. */
  const refresh = (host: string) =>
    renew().catch((error: unknown) => {
      if (!isAppError(error) || error.kind !== 'unauthenticated' || token === key) throw error
      token = key
      return trade(host)
    })

  return {
    url,
    async start(host) {
      try {
        await trade(host)
      } catch (error) {
        // A key that may not make tokens may be one: it is renewed, or used as it is.
        if (!isAppError(error) || error.kind !== 'forbidden') throw error
        await renew().catch((failure: unknown) => {
          if (!isAppError(failure, 'not-a-runner')) throw failure
        })
      }
      if (token === key) return
      renewal = setInterval(() => void refresh(host).catch(onError), renewEveryMs)
      renewal.unref()
    },
    register: (host, pid, agents, offer) => {
      const body = { host, pid, contract: runnerContract, agents: agents as never, ...(offer as object) }
      return patiently((each) => each.call(registerRunner, { body }))
    },
    exchange: (runner, request, signal) =>
      anywhere((each) => each.call(exchangeWork, { params: { runner }, body: request, signal }), signal),
    async *hints(runner, signal) {
      while (!signal.aborted) {
        try {
          yield* client().events(
            runnerHints,
            { params: { runner }, signal },
            { backoff: (n) => (n > 3 ? null : 200 * n) },
          )
        } catch (error) {
          if (!isElsewhere(error)) throw error
          at = (at + 1) % urls.length
        }
      }
    },
    drain: async (runner) => (await anywhere((each) => each.call(drainRunner, { params: { runner } }))).left,
    remove: async (runner) => {
      await patiently((each) => each.call(removeRunner, { params: { runner } }))
    },
    appendLogs: async (runner, chunks) => {
      await patiently((each) => each.call(appendRunnerLogs, { params: { runner }, body: { chunks: [...chunks] } }))
    },
    appendToolCalls: async (runner, calls) => {
      await patiently((each) => each.call(appendRunnerToolCalls, { params: { runner }, body: { calls: [...calls] } }))
    },
    sendPiece: (runner, fence, { upload, piece }, bytes, signal) =>
      patiently(async () => {
        const path = uploadPiece.path
          .replace(':runner', encodeURIComponent(runner))
          .replace(':fence', String(fence))
          .replace(':upload', upload)
          .replace(':piece', String(piece))
        await sendBytes({ url: url() + path, token, send }, bytes, signal)
      }, signal),
    finishArtifact: (runner, fence, file, signal) =>
      patiently((each) => each.call(finishArtifact, { params: { runner, fence }, body: file, signal }), signal),
    fetchRepository: (runner, fence, { have, base }, signal) =>
      patiently(async (each) => {
        const query = { have: have.join(','), ...(base === undefined ? {} : { base }) }
        return (await each.bytes(fetchRepository, { params: { runner, fence }, query, signal })).body
      }, signal),
    deliverCommit: async (runner, fence, file, signal) => {
      await patiently((each) => each.call(deliverCommit, { params: { runner, fence }, body: file, signal }), signal)
    },
    modelKey: async (runner, fence, models, signal) => {
      const asked = { params: { runner, fence }, body: { models: [...models] }, signal }
      return (await patiently((each) => each.call(grantModelKey, asked), signal)).key
    },
    ask: async (runner, fence, question, signal) =>
      (
        await patiently(
          (each) => each.call(askForRunner, { params: { runner, fence }, body: question, signal }),
          signal,
        )
      ).answer,
    ...createLeaseServices(patiently),
    async [Symbol.asyncDispose]() {
      if (renewal !== null) clearInterval(renewal)
    },
  }
}

/** Another server may know better: this one is away, or the repository lies on the machine of another. */
function isElsewhere(error: unknown): boolean {
  return isAppError(error) && (error.kind === 'unavailable' || error.code === 'repository-not-here')
}

async function sendBytes(
  { url, token, send }: { url: string; token: string; send: NonNullable<JoinedServersOptions['fetch']> },
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' }
  let answer: Response
  try {
    answer = await send(url, { method: 'PUT', headers, body: Buffer.from(bytes), signal, redirect: 'error' })
  } catch (cause) {
    signal.throwIfAborted()
    throw clientErrors['server-unreachable'](`no answer from ${new URL(url).origin}`, { cause })
  }
  const text = await answer.text()
  if (answer.ok) return
  throw problemOf(text) ?? clientErrors['server-unreachable'](`${new URL(url).origin} answered ${answer.status}`)
}

/** Null: whatever answered is not our server. */
function problemOf(text: string): Error | null {
  try {
    const problem = JSON.parse(text) as Parameters<typeof errorOfProblem>[0]
    return typeof problem.code === 'string' ? errorOfProblem(problem) : null
  } catch {
    return null
  }
}
