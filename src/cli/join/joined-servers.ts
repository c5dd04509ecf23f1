import type { RunnerServer } from '../../app/join/runner-server.ts'
import { errorOfProblem } from '../../client/call.ts'
import { type Client, createClient } from '../../client/client.ts'
import { clientErrors } from '../../client/client-errors.ts'
import { createRetry } from '../../client/retry.ts'
import { pause } from '../../client/streams.ts'
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
const afterRefusalMs = 500

/** The servers that a runner has joined: one is asked, and the next where it does not answer. */
export function createJoinedServers({ urls, key, fetch: send = fetch, onError }: JoinedServersOptions): JoinedServers {
  let at = 0
  let token = key
  let host = ''
  let renewal: NodeJS.Timeout | null = null
  let refreshing: Promise<void> | null = null
  const url = () => urls[at]!
  const client = (): Client => createClient({ url: url(), token: () => token, fetch: send })
  const patience = createRetry()

  /** On every server once, beginning with the one that answered last. */
  async function onEach<T>(ask: (client: Client) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        return await ask(client())
      } catch (error) {
        if (signal?.aborted || tried === urls.length || !isElsewhere(error)) throw error
        at = (at + 1) % urls.length
      }
    }
  }

  /** As `onEach`, and once more with a fresh token where the old one is no longer good. */
  async function anywhere<T>(ask: (client: Client) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const shown = token
    try {
      return await onEach(ask, signal)
    } catch (error) {
      if (signal?.aborted || !isStrange(error) || !(await freshAfter(shown))) throw error
      return onEach(ask, signal)
    }
  }

  /** As `anywhere`, and again after a while: for what has no other way of being repeated. */
  const patiently = <T>(ask: (client: Client) => Promise<T>, signal?: AbortSignal) =>
    patience.execute(() => anywhere(ask, signal), signal)

  const trade = async () => {
    const body = { name: `runner ${host}`.slice(0, 100), expiresIn: tokenSeconds }
    token = (await patience.execute(() => onEach((each) => each.call(createRunnerToken, { body })))).token
  }
  const renew = async () => {
    const body = { expiresIn: tokenSeconds }
    token = (await patience.execute(() => onEach((each) => each.call(renewRunnerToken, { body })))).token
  }
  /** While no server answered, or this machine slept, the token may have come to its end; what it was traded for has not. */
  const refresh = (): Promise<void> => {
    refreshing ??= renew()
      .catch(async (error: unknown) => {
        if (!isStrange(error) || token === key) throw error
        const old = token
        token = key
        await trade().catch((failure: unknown) => {
          // Not the key from now on: the next try begins as this one did.
          token = old
          throw failure
        })
      })
      .finally(() => {
        refreshing = null
      })
    return refreshing
  }
  /** False: there is none but the one that was refused. */
  async function freshAfter(refused: string): Promise<boolean> {
    if (token === refused && renewal !== null) await refresh().catch(onError)
    return token !== refused
  }

  return {
    url,
    async start(name) {
      host = name
      try {
        await trade()
      } catch (error) {
        // A key that may not make tokens may be one: it is renewed, or used as it is.
        if (!isAppError(error) || error.kind !== 'forbidden') throw error
        await renew().catch((failure: unknown) => {
          if (!isAppError(failure, 'not-a-runner')) throw failure
        })
      }
      if (token === key) return
      renewal = setInterval(() => void refresh().catch(onError), renewEveryMs)
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
        const shown = token
        try {
          yield* client().events(
            runnerHints,
            { params: { runner }, signal },
            { backoff: (n) => (n > 3 ? null : 200 * n) },
          )
        } catch (error) {
          if (isElsewhere(error)) at = (at + 1) % urls.length
          else if (!isStrange(error) || !(await freshAfter(shown))) throw error
          else await pause(afterRefusalMs, signal)
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

/** No server knows who asks. */
function isStrange(error: unknown): boolean {
  return isAppError(error) && error.kind === 'unauthenticated'
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
