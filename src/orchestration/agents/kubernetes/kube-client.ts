import { setTimeout as sleep } from 'node:timers/promises'
import type { Agent, fetch, Response } from 'undici'
import { isAppError, messageOf } from '../../../foundation/kernel/errors.ts'
import { type Random, systemRandom } from '../../../foundation/kernel/random.ts'
import type { KubeAccess } from './kube-config.ts'
import { kubeErrors } from './kube-errors.ts'
import type { KubeList, KubeObject, WatchEvent } from './kube-types.ts'
import { LineSplitter } from './line-splitter.ts'

export type KubeQuery = Readonly<Record<string, string | number | boolean>>

export interface KubeRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH'
  readonly path: string
  readonly query?: KubeQuery
  readonly body?: unknown
  readonly signal: AbortSignal
  /** Answers of this kind are given back as null. */
  readonly missing?: readonly number[]
}

export interface KubeClientOptions {
  readonly access: KubeAccess
  readonly random?: Random
  /** Until an answer must have begun. Default 30,000. */
  readonly timeoutMs?: number
  /** Attempts of one call, where the server is busy or away. Default 6. */
  readonly tries?: number
}

const firstDelayMs = 200
const longestDelayMs = 10_000
const mostErrorChars = 1_000

/** A small client of the Kubernetes API: JSON calls that are patient, watches and logs as streams. */
export class KubeClient {
  readonly access: KubeAccess
  readonly #random: Random
  readonly #timeoutMs: number
  readonly #tries: number
  #opening: Promise<{ readonly agent: Agent; readonly fetch: typeof fetch }> | null = null

  constructor(options: KubeClientOptions) {
    this.access = options.access
    this.#random = options.random ?? systemRandom
    this.#timeoutMs = options.timeoutMs ?? 30_000
    this.#tries = options.tries ?? 6
  }

  /** @throws kube-unreachable, kube-refused, kube-failed */
  async call<T>(request: KubeRequest): Promise<T> {
    const response = await this.#patiently(request)
    return (response === null ? null : await response.json()) as T
  }

  /** Everything of a kind, page by page. */
  async list<T extends KubeObject>(path: string, query: KubeQuery, signal: AbortSignal): Promise<KubeList<T>> {
    const items: T[] = []
    let more: string | undefined
    let metadata: KubeList<T>['metadata'] = {}
    do {
      const page: KubeList<T> = await this.call({
        path,
        query: { limit: 200, ...query, ...(more ? { continue: more } : {}) },
        signal,
      })
      items.push(...page.items)
      metadata = page.metadata
      more = page.metadata.continue
    } while (more)
    return { metadata, items }
  }

  /**
   * What is there, then every change of it, for as long as the signal lasts. A watch that breaks off goes on where it
   * was; one whose place the server has forgotten (410) begins again, and then what has gone is told, too.
   */
  async *watch<T extends KubeObject>(
    path: string,
    query: KubeQuery,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly type: 'present' | 'gone'; readonly object: T }> {
    const known = new Map<string, T>()
    let version: string | null = null
    let failures = 0
    while (!signal.aborted) {
      if (version === null) {
        const { items, metadata } = await this.list<T>(path, query, signal)
        const names = new Set(items.map(({ metadata: { name } }) => name))
        for (const [name, object] of [...known])
          if (!names.has(name)) {
            known.delete(name)
            yield { type: 'gone', object }
          }
        for (const object of items) {
          known.set(object.metadata.name, object)
          yield { type: 'present', object }
        }
        version = metadata.resourceVersion ?? ''
      }
      const from = performance.now()
      try {
        const watch = {
          ...query,
          watch: true,
          allowWatchBookmarks: true,
          resourceVersion: version,
          timeoutSeconds: 300,
        }
        for await (const line of this.lines(path, watch, signal)) {
          const event = JSON.parse(line.toString('utf8')) as WatchEvent<T>
          if (event.type === 'ERROR') {
            if (event.object.code === 410) version = null
            throw kubeErrors['kube-failed'](event.object.message ?? 'the watch ended with an error')
          }
          version = event.object.metadata.resourceVersion ?? version
          if (event.type === 'BOOKMARK') continue
          const { name } = event.object.metadata
          if (event.type === 'DELETED') known.delete(name)
          else known.set(name, event.object)
          yield { type: event.type === 'DELETED' ? 'gone' : 'present', object: event.object }
        }
      } catch (error) {
        if (signal.aborted) return
        if (isAppError(error, 'kube-refused')) throw error
        if (isGone(error)) version = null
      }
      // One that lasted is no sign of trouble.
      failures = performance.now() - from > 5_000 ? 0 : failures + 1
      await sleep(this.#delay(failures), undefined, { signal }).catch(() => {})
    }
  }

  /** The lines of an answer that goes on. Ends when the server ends it, throws when it breaks off. */
  async *lines(path: string, query: KubeQuery, signal: AbortSignal): AsyncGenerator<Buffer> {
    const splitter = new LineSplitter()
    for await (const chunk of this.bytes(path, query, signal)) yield* splitter.write(chunk)
    const rest = splitter.end()
    if (rest !== null) yield rest
  }

  async *bytes(path: string, query: KubeQuery, signal: AbortSignal): AsyncGenerator<Buffer> {
    const response = await this.#patiently({ path, query, signal })
    if (response?.body == null) return
    try {
      for await (const chunk of response.body) yield Buffer.from(chunk as Uint8Array)
    } catch (error) {
      throw kubeErrors['kube-unreachable'](`the answer broke off: ${messageOf(error)}`)
    }
  }

  url(path: string, query: KubeQuery = {}): URL {
    const url = new URL(`${this.access.server}${path}`)
    for (const [name, value] of Object.entries(query)) url.searchParams.append(name, String(value))
    return url
  }

  async close(): Promise<void> {
    await (await this.#opening)?.agent.destroy()
  }

  // It takes a quarter of a second to load: only where there is a cluster.
  async #open() {
    const { Agent, fetch } = await import('undici')
    const { ca, cert, key, insecure } = this.access
    const agent = new Agent({
      // Streams are quiet for as long as nothing happens.
      bodyTimeout: 0,
      connect: {
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
        rejectUnauthorized: !insecure,
        timeout: 10_000,
      },
    })
    return { agent, fetch }
  }

  async #patiently(request: KubeRequest): Promise<Response | null> {
    const { method = 'GET', path, signal, missing = [] } = request
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted()
      let waitMs = this.#delay(attempt)
      let problem: Error
      try {
        const response = await this.#send(request)
        if (response.ok) return response
        const text = await messageOfStatus(response)
        if (missing.includes(response.status)) return null
        const said = `${method} ${path}: ${response.status} ${text}`
        if (response.status === 410) throw Object.assign(kubeErrors['kube-failed'](said), { gone: true })
        if (response.status === 401 || response.status === 403) throw kubeErrors['kube-refused'](said)
        if (response.status !== 429 && response.status < 500) throw kubeErrors['kube-failed'](said)
        const retryAfter = Number(response.headers.get('retry-after'))
        if (retryAfter > 0) waitMs = Math.min(retryAfter * 1_000, 30_000)
        problem = kubeErrors['kube-unreachable'](said)
      } catch (error) {
        if (isAppError(error)) throw error
        signal.throwIfAborted()
        problem = kubeErrors['kube-unreachable'](`${method} ${path}: ${reasonOf(error)}`)
      }
      if (attempt >= this.#tries) throw problem
      await sleep(waitMs, undefined, { signal })
    }
  }

  async #send({ method = 'GET', path, query = {}, body, signal }: KubeRequest): Promise<Response> {
    this.#opening ??= this.#open()
    const { agent, fetch } = await this.#opening
    const token = await this.access.token()
    const begun = new AbortController()
    const timer = setTimeout(() => begun.abort(new Error('no answer in time')), this.#timeoutMs)
    try {
      return await fetch(this.url(path, query), {
        method,
        headers: {
          accept: 'application/json',
          'user-agent': 'leanvibe',
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined
            ? {}
            : { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.any([signal, begun.signal]),
        dispatcher: agent,
      })
    } finally {
      clearTimeout(timer)
    }
  }

  #delay(failures: number): number {
    if (failures === 0) return 0
    return Math.min(longestDelayMs, firstDelayMs * 2 ** (failures - 1)) * (0.5 + this.#random.next() / 2)
  }
}

function isGone(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'gone' in error
}

async function messageOfStatus(response: Response): Promise<string> {
  const text = await response.text().catch(() => '')
  try {
    return String((JSON.parse(text) as { message?: unknown }).message ?? text).slice(0, mostErrorChars)
  } catch {
    return text.slice(0, mostErrorChars)
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return cause === undefined ? messageOf(error) : messageOf(cause)
}
