import type { z } from 'zod'
import {
  type ApprovalView,
  answerApproval,
  approve,
  listApprovals,
  reject,
  showApproval,
} from '../orchestration/approvals/approvals-contract.ts'
import {
  artifactContent,
  cancelRun,
  type LogLine,
  listRuns,
  pauseRun,
  resumeRun,
  retryRun,
  runLogs,
  showRun,
  startRun,
  streamEvents,
} from '../orchestration/runs/run-endpoints-contract.ts'
import type {
  ArtifactView,
  EventView,
  RetryRun,
  RunDetail,
  RunView,
  startRunSchema,
} from '../orchestration/runs/runs-contract.ts'
import type { Fetch } from './call.ts'
import { type Client, type Content, createClient } from './client.ts'
import { createRetry, type RetryOptions } from './retry.ts'

export interface LeanVibeOptions extends RetryOptions {
  /** Origin of the server, for example `https://leanvibe.example.org`. */
  readonly url: string
  /** Made by `leanvibe keys create`. */
  readonly key: string
  /** The tenant to act for; only for keys above tenants. */
  readonly tenant?: string
  readonly fetch?: Fetch
}

export interface EventQuery {
  readonly run?: string
  /** `task.succeeded`, `run.*`. */
  readonly types?: readonly string[]
  /** A cursor to go on behind, `start` for the oldest event kept, `now` (the default) for what comes. */
  readonly from?: string
}

export interface Waiting {
  readonly signal?: AbortSignal
}

/** The states of a run that nothing follows. */
const ended: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled'])

/**
 * The platform for programs. Every call may be relied on to be done once: it is repeated over broken connections, limits
 * and restarts, and writes carry an Idempotency-Key. All failures are AppErrors with the server's code.
 *
 *     const leanvibe = new LeanVibe({ url: 'https://leanvibe.example.org', key })
 *     const run = await leanvibe.runs.start({ workflow: 'repo-checkup', inputs: {} })
 *     for await (const event of leanvibe.events({ run: run.id, from: 'start' })) console.log(event.type)
 */
export class LeanVibe {
  /** For endpoints that have no method here: `leanvibe.client.call(endpoint, ...)`. */
  readonly client: Client
  readonly runs: Runs
  readonly approvals: Approvals
  readonly artifacts: Artifacts

  constructor({ url, key, tenant, fetch, ...retry }: LeanVibeOptions) {
    this.client = createClient({
      url,
      token: key,
      ...(tenant === undefined ? {} : { tenant }),
      ...(fetch === undefined ? {} : { fetch }),
      retry: createRetry(retry),
    })
    this.runs = new Runs(this.client)
    this.approvals = new Approvals(this.client)
    this.artifacts = new Artifacts(this.client)
  }

  /**
   * Events as they are committed, each once and in order. It goes on over broken connections behind the last one seen;
   * keep `event.cursor` and pass it as `from` to go on in another process. Ends when `signal` aborts. Throws
   * `cursor-reset` where the log no longer holds that place; `details.resume` says where it goes on.
   */
  async *events({ run, types, from }: EventQuery = {}, { signal }: Waiting = {}): AsyncGenerator<EventView, void> {
    const isCursor = from !== undefined && from !== 'start' && from !== 'now'
    const query = { run, types: types?.join(','), from: isCursor ? undefined : from }
    const args = { query, ...(signal === undefined ? {} : { signal }) }
    for await (const { data } of this.client.events(streamEvents, args, isCursor ? { after: from } : {})) yield data
  }
}

class Runs {
  readonly #client: Client

  constructor(client: Client) {
    this.#client = client
  }

  start(run: z.input<typeof startRunSchema>): Promise<RunView> {
    return this.#client.call(startRun, { body: run })
  }

  list(query: z.input<NonNullable<typeof listRuns.query>> = {}) {
    return this.#client.call(listRuns, { query })
  }

  /** All of them, newest first, page by page. */
  all(query: z.input<NonNullable<typeof listRuns.query>> = {}): AsyncGenerator<RunView, void> {
    return pages((after) => this.list({ ...query, ...after }))
  }

  show(id: string): Promise<RunDetail> {
    return this.#client.call(showRun, { params: { id } })
  }

  cancel(id: string, reason?: string): Promise<RunView> {
    return this.#client.call(cancelRun, { params: { id }, body: { reason } })
  }

  pause(id: string): Promise<RunView> {
    return this.#client.call(pauseRun, { params: { id } })
  }

  resume(id: string): Promise<RunView> {
    return this.#client.call(resumeRun, { params: { id } })
  }

  /** Starts a new run that repeats part of an ended one. */
  retry(id: string, how: RetryRun = {}): Promise<RunView> {
    return this.#client.call(retryRun, { params: { id }, body: how })
  }

  logs(
    id: string,
    { follow = false, step }: { readonly follow?: boolean; readonly step?: string } = {},
    { signal }: Waiting = {},
  ): AsyncGenerator<LogLine, void> {
    const query = { follow: String(follow), step }
    return this.#client.lines(runLogs, { params: { id }, query, ...(signal === undefined ? {} : { signal }) })
  }

  /** The run once it has ended. */
  async wait(id: string, { signal }: Waiting = {}): Promise<RunView> {
    const stop = new AbortController()
    const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
    const look = async () => (await this.show(id)).run
    let present = await look()
    try {
      // The stream stands before the second look, so an end between the two is seen by one of them.
      const opened = Promise.withResolvers<void>()
      const query = { run: id, types: 'run.*' }
      const events = this.#client.events(streamEvents, { query, signal: either }, { onOpen: opened.resolve })
      let next = events.next()
      next.catch(opened.reject)
      await opened.promise
      present = await look()
      while (!ended.has(present.state)) {
        signal?.throwIfAborted()
        if ((await next).done) break
        present = await look()
        next = events.next()
      }
      next.catch(() => {})
      signal?.throwIfAborted()
      return present
    } finally {
      stop.abort()
    }
  }
}

class Approvals {
  readonly #client: Client

  constructor(client: Client) {
    this.#client = client
  }

  list(query: z.input<NonNullable<typeof listApprovals.query>> = {}) {
    return this.#client.call(listApprovals, { query })
  }

  all(query: z.input<NonNullable<typeof listApprovals.query>> = {}): AsyncGenerator<ApprovalView, void> {
    return pages((after) => this.list({ ...query, ...after }))
  }

  approve(id: string, comment?: string): Promise<ApprovalView> {
    return this.#client.call(approve, { params: { id }, body: { comment } })
  }

  reject(id: string, comment?: string): Promise<ApprovalView> {
    return this.#client.call(reject, { params: { id }, body: { comment } })
  }

  show(id: string): Promise<ApprovalView> {
    return this.#client.call(showApproval, { params: { id } })
  }

  /** By one of its choices, in words, or both. */
  answer(id: string, answer: z.input<NonNullable<typeof answerApproval.body>>): Promise<ApprovalView> {
    return this.#client.call(answerApproval, { params: { id }, body: answer })
  }
}

class Artifacts {
  readonly #client: Client

  constructor(client: Client) {
    this.#client = client
  }

  async list(runId: string): Promise<readonly ArtifactView[]> {
    return (await this.#client.call(showRun, { params: { id: runId } })).artifacts
  }

  /** The content as a stream. */
  open(id: string, { signal }: Waiting = {}): Promise<Content> {
    return this.#client.bytes(artifactContent, { params: { id }, ...(signal === undefined ? {} : { signal }) })
  }

  /** All of the content at once. */
  async read(id: string): Promise<Uint8Array> {
    return new Uint8Array(await new Response((await this.open(id)).body).arrayBuffer())
  }
}

async function* pages<T>(
  read: (after: { after?: string }) => Promise<{ readonly items: readonly T[]; readonly next: string | null }>,
): AsyncGenerator<T, void> {
  let after: string | null = null
  do {
    const page: { readonly items: readonly T[]; readonly next: string | null } = await read(
      after === null ? {} : { after },
    )
    yield* page.items
    after = page.next
  } while (after !== null)
}
