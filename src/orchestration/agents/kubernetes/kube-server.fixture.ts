import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type WebSocket, WebSocketServer } from 'ws'
import { KubeStore, matches, mergePatch, type Stored, type StoredEvent } from './kube-store.fixture.ts'

export interface ExecCall {
  readonly verb: 'exec' | 'attach'
  readonly pod: string
  readonly container: string
  readonly command: readonly string[]
  readonly stdin: boolean
}

/** What runs the pods; without one, their statuses are what a test says. */
export interface Kubelet {
  created(pod: Stored): void
  deleted(pod: Stored, graceSeconds: number): Promise<void>
  exec(call: ExecCall, socket: WebSocket): void
  /** Lines with their times, and whether there will be more. */
  log(pod: string, container: string): LogSource | null
}

export interface LogSource {
  readonly lines: readonly { readonly at: string; readonly text: string }[]
  ended(): boolean
  onChange(listen: () => void): () => void
}

export interface Fault {
  readonly method?: string
  readonly path: RegExp
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** The call is done all the same, and the answer is lost. */
  readonly after?: boolean
  times: number
}

const token = 'test-token'

/**
 * An API server that keeps the contract of the real one, as far as it is used here: objects with versions, conflicts,
 * lists in pages, watches with bookmarks that can be forgotten (410), logs that are followed, exec and attach over
 * WebSockets, and a Job controller; on TLS, for who has the token. Faults are injected by path.
 */
export class KubeServer {
  readonly store = new KubeStore()
  readonly faults: Fault[] = []
  readonly calls: string[] = []
  kubelet: Kubelet | null = null
  /** Versions of the SandboxClaims that it serves. */
  sandboxVersions: readonly string[] = []
  /** The spec of the pods that its agent-sandbox controller gives to claims. */
  sandboxPod: Record<string, unknown> = {}
  readonly #folder = mkdtempSync(join(tmpdir(), 'leanvibe-kube-'))
  readonly #watches = new Set<{
    readonly collection: string
    readonly selector: string
    readonly response: ServerResponse
  }>()
  readonly #server
  readonly #sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (given) => pickProtocol(given, this.protocol),
  })
  protocol: 'v5' | 'v4' = 'v5'
  readonly ca: string

  constructor() {
    const [key, cert] = [join(this.#folder, 'key.pem'), join(this.#folder, 'cert.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    execFileSync('openssl', [...made, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })
    this.ca = readFileSync(cert, 'utf8')
    this.#server = createServer({ key: readFileSync(key), cert: this.ca }, (request, response) => {
      void this.#answer(request, response).catch((error) => response.writeHead(500).end(String(error)))
    })
    this.#server.on('upgrade', (request, socket, head) => {
      const url = new URL(request.url ?? '', 'https://localhost')
      const match = /\/pods\/([^/]+)\/(exec|attach)$/.exec(url.pathname)
      const refuse = (status: string) => socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`)
      if (request.headers.authorization !== `Bearer ${token}`) return refuse('401 Unauthorized')
      const fault = this.#faultFor('GET', url.pathname)
      if (fault !== null) return refuse(`${fault.status} Fault`)
      if (match === null || this.kubelet === null) return refuse('404 Not Found')
      const call = {
        ...{ pod: match[1]!, verb: match[2] as 'exec', container: url.searchParams.get('container') ?? '' },
        ...{ command: url.searchParams.getAll('command'), stdin: url.searchParams.get('stdin') === 'true' },
      }
      this.calls.push(`${call.verb} ${call.container} ${call.command.join(' ').slice(0, 80)}`)
      this.#sockets.handleUpgrade(request, socket, head, (ws) => this.kubelet!.exec(call, ws))
    })
    this.store.onEvent = (event) => this.#tell(event)
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get access() {
    return {
      ...{ server: this.url, namespace: 'agents', ca: this.ca, cert: undefined, key: undefined, insecure: false },
      ...{ token: async () => token, source: 'a test' },
    }
  }

  /** Breaks all watches off, without a word. */
  dropWatches(): number {
    const open = [...this.#watches]
    for (const { response } of open) response.destroy()
    return open.length
  }

  /** Forgets what was before now. */
  compact(): void {
    this.store.oldest = this.store.version
  }

  async close(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    for (const socket of this.#sockets.clients) socket.terminate()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.url)
    const { pathname: path, searchParams: query } = url
    const method = request.method ?? 'GET'
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    this.calls.push(`${method} ${path}${query.has('watch') ? '?watch' : ''}`)
    const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
      void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    const status = (code: number, message: string, headers = {}) =>
      json(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message }, headers)
    if (request.headers.authorization !== `Bearer ${token}`) return status(401, 'Unauthorized')
    const fault = this.#faultFor(method, path)
    if (fault !== null && fault.after !== true) return status(fault.status, 'a fault', fault.headers)
    const body = chunks.length === 0 ? null : (JSON.parse(Buffer.concat(chunks).toString('utf8')) as Stored)
    const done = (code: number, answer: unknown) => (fault === null ? json(code, answer) : void response.destroy())
    if (path === '/apis/extensions.agents.x-k8s.io') {
      if (this.sandboxVersions.length === 0) return status(404, 'the server could not find the requested resource')
      return done(200, { versions: this.sandboxVersions.map((version) => ({ version })) })
    }
    const log = /^(.*\/pods)\/([^/]+)\/log$/.exec(path)
    if (log !== null) return this.#log(log[2]!, query, response, status)
    const parts = path.split('/')
    const plural = /^(?:pods|jobs|secrets|networkpolicies|sandboxclaims|sandboxes)$/
    const isCollection = plural.test(parts.at(-1)!)
    const collection = isCollection ? path : parts.slice(0, -1).join('/')
    const name = isCollection ? '' : parts.at(-1)!
    const { store } = this
    const none = () => status(404, `${name} not found`)
    if (!plural.test(collection.split('/').at(-1)!)) return none()
    if (isCollection && method === 'POST') {
      const made = store.create(collection, body!)
      if (made === null) return status(409, `${body!.metadata.name} already exists`)
      this.#control(collection, made)
      return done(201, made)
    }
    if (isCollection && query.get('watch') === 'true') return this.#watch(collection, query, response)
    if (isCollection) {
      const items = store.list(collection, query.get('labelSelector') ?? '')
      const from = Number(query.get('continue') ?? 0)
      const to = Math.min(items.length, from + Number(query.get('limit') ?? items.length))
      const more = to < items.length ? { continue: String(to) } : {}
      return done(200, { metadata: { resourceVersion: String(store.version), ...more }, items: items.slice(from, to) })
    }
    if (method === 'GET') return store.get(collection, name) === null ? none() : done(200, store.get(collection, name))
    if (method === 'PATCH') {
      const changed = store.update(collection, name, (object) => mergePatch(object, body) as Stored)
      return changed === null ? none() : done(200, changed)
    }
    if (method === 'DELETE') {
      const grace = (body as { gracePeriodSeconds?: number } | null)?.gracePeriodSeconds
      const removed = this.#delete(collection, name, grace)
      return removed === null ? none() : done(200, removed)
    }
    return status(405, 'not allowed')
  }

  /** What the controllers do with a new object. */
  #control(collection: string, made: Stored): void {
    const namespace = /\/namespaces\/([^/]+)\//.exec(collection)![1]!
    const pods = `/api/v1/namespaces/${namespace}/pods`
    if (collection.endsWith('/jobs')) {
      const { template } = made.spec as unknown as {
        template: { metadata: Stored['metadata']; spec: Record<string, unknown> }
      }
      const owner = [{ kind: 'Job', name: made.metadata.name }]
      const metadata = { ...template.metadata, name: `${made.metadata.name}-x7`, namespace, ownerReferences: owner }
      const pod = this.store.create(pods, { metadata, spec: template.spec, status: { phase: 'Pending' } } as Stored)!
      this.kubelet?.created(pod)
    } else if (collection.endsWith('/sandboxclaims')) this.#giveSandbox(collection, namespace, made)
    else if (collection.endsWith('/pods')) {
      this.store.update(collection, made.metadata.name, (pod) => ({ ...pod, status: { phase: 'Pending' } }))
      this.kubelet?.created(made)
    }
  }

  /** As the agent-sandbox controller does: a Sandbox, its pod, and their names in the status of the claim. */
  #giveSandbox(collection: string, namespace: string, claim: Stored): void {
    const version = /\/(v1\w+)\/namespaces/.exec(collection)![1]!
    const name = `${claim.metadata.name}-sb`
    const ownerReferences = [{ kind: 'SandboxClaim', name: claim.metadata.name }]
    const hash = { 'agents.x-k8s.io/sandbox-name-hash': randomUUID().slice(0, 8) }
    const sandboxes = `/apis/agents.x-k8s.io/${version}/namespaces/${namespace}/sandboxes`
    const selector = Object.entries(hash).map((pair) => pair.join('='))[0]
    this.store.create(sandboxes, { metadata: { name, namespace, ownerReferences }, status: { selector } } as Stored)
    const metadata = { name, namespace, labels: hash, ownerReferences }
    const pod = { metadata, spec: this.sandboxPod, status: { phase: 'Pending' } } as unknown as Stored
    const made = this.store.create(`/api/v1/namespaces/${namespace}/pods`, pod)!
    this.store.update(collection, claim.metadata.name, (each) => ({ ...each, status: { sandbox: { name } } }))
    this.kubelet?.created(made)
  }

  #delete(collection: string, name: string, grace: number | undefined): Stored | null {
    const found = this.store.get(collection, name)
    if (found === null) return null
    const isPod = collection.endsWith('/pods')
    if (isPod && this.kubelet !== null) {
      this.store.update(collection, name, (pod) => ({
        ...pod,
        metadata: { ...pod.metadata, deletionTimestamp: new Date().toISOString() },
      }))
      const usual = (found.spec as { terminationGracePeriodSeconds?: number }).terminationGracePeriodSeconds ?? 30
      void this.kubelet.deleted(found, Math.min(1, grace ?? usual)).then(() => this.store.delete(collection, name))
    } else this.store.delete(collection, name)
    if (collection.endsWith('/jobs') || collection.endsWith('/sandboxclaims'))
      for (const key of this.store.all()) {
        const [place, child] = [key.slice(0, key.lastIndexOf('/')), key.slice(key.lastIndexOf('/') + 1)]
        const owners = this.store.get(place, child)?.metadata.ownerReferences ?? []
        if (owners.some((owner) => owner.kind !== 'Pod' && owner.name === name)) this.#delete(place, child, grace)
      }
    return found
  }

  #watch(collection: string, query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion') ?? 0)
    const selector = query.get('labelSelector') ?? ''
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    const send = (value: unknown) => response.write(`${JSON.stringify(value)}\n`)
    if (from < this.store.oldest) {
      send({ type: 'ERROR', object: { kind: 'Status', code: 410, message: 'too old resource version' } })
      response.end()
      return
    }
    const watch = { collection, selector, response }
    this.#watches.add(watch)
    response.once('close', () => this.#watches.delete(watch))
    for (const event of this.store.events) if (event.version > from) this.#tell(event, [watch])
    send({ type: 'BOOKMARK', object: { metadata: { name: '', resourceVersion: String(this.store.version) } } })
  }

  #tell({ collection, type, object }: StoredEvent, watches = [...this.#watches]): void {
    for (const watch of watches) {
      if (watch.collection !== collection) continue
      const wanted = watch.selector.split(',').filter((part) => part !== '')
      if (wanted.every((part) => matches(object, part))) watch.response.write(`${JSON.stringify({ type, object })}\n`)
    }
  }

  #log(
    pod: string,
    query: URLSearchParams,
    response: ServerResponse,
    status: (code: number, message: string) => void,
  ): void {
    const source = this.kubelet?.log(pod, query.get('container') ?? '') ?? null
    if (source === null) {
      status(404, `${pod} not found`)
      return
    }
    const since = query.get('sinceTime') ?? ''
    response.writeHead(200, { 'content-type': 'text/plain' })
    let sent = 0
    const send = () => {
      for (; sent < source.lines.length; sent++) {
        const { at, text } = source.lines[sent]!
        if (at.slice(0, 19) >= since.slice(0, 19)) response.write(`${at} ${text}\n`)
      }
      if (source.ended()) response.end()
    }
    const stop = source.onChange(send)
    response.once('close', stop)
    this.#logs.add(response)
    response.once('close', () => this.#logs.delete(response))
    send()
  }

  readonly #logs = new Set<ServerResponse>()

  /** Breaks off all logs that are being followed. */
  dropLogs(): number {
    const open = [...this.#logs]
    for (const response of open) response.destroy()
    return open.length
  }

  #faultFor(method: string, path: string): Fault | null {
    const fault = this.faults.find(
      (each) => each.times > 0 && (each.method ?? method) === method && each.path.test(path),
    )
    if (fault === undefined) return null
    fault.times -= 1
    return fault
  }
}

function pickProtocol(given: ReadonlySet<string>, newest: 'v5' | 'v4'): string | false {
  const wanted = newest === 'v5' ? ['v5.channel.k8s.io', 'v4.channel.k8s.io'] : ['v4.channel.k8s.io']
  return wanted.find((protocol) => given.has(protocol)) ?? false
}
