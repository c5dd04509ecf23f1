import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export interface CrowdOptions {
  /** Clients at a time: of eight, four read, two write and two hold event streams. */
  readonly clients: number
  readonly seconds: number
  /** A PostgreSQL to use. Default: the embedded database. */
  readonly databaseUrl?: string
  readonly note?: (text: string) => void
}

export interface CrowdReport {
  readonly requests: number
  readonly perSecond: number
  /** How often each status came, and each failure of the connection. */
  readonly answers: Readonly<Record<string, number>>
  /** What must not be: a 5xx before the end, an answer without its document. */
  readonly faults: readonly string[]
  readonly events: {
    /** Things that were written and answered for, and those of them whose event never came. */
    readonly written: number
    readonly lost: number
    readonly doubled: number
    /** Streams in which something is missing between the first and the last event they saw. */
    readonly torn: number
    readonly delivered: number
  }
  readonly memory: { readonly mostMb: number; readonly firstHalfMb: number; readonly secondHalfMb: number }
  readonly latencyMs: { readonly p50: number; readonly p99: number }
  /** What the server said of itself when it ended. */
  readonly end: { readonly exitCode: number | null; readonly begun: number; readonly answered: number }
}

const bin = fileURLToPath(new URL('../../bin/leanvibe.js', import.meta.url))
const yaml = 'rateLimits: { ip: none, failures: none, key: none, tenant: none, route: none }\n'

/**
 * Lets a crowd loose on a real server, ends the server by SIGTERM while all of them are busy, and reports. The server has
 * to answer whatever it has accepted, lose no event, and keep its memory.
 */
export async function runCrowd(options: CrowdOptions): Promise<CrowdReport> {
  const { clients, seconds, databaseUrl, note = () => {} } = options
  const folder = await mkdtemp(join(tmpdir(), 'leanvibe-crowd-'))
  await writeFile(join(folder, 'leanvibe.yaml'), yaml)
  const env: Record<string, string> = { PATH: process.env.PATH ?? '', HOME: folder }
  if (databaseUrl !== undefined) env.DATABASE_URL = databaseUrl
  let child = serve(folder, env)
  try {
    const documents = documentsOf(child)
    const { url, adminKey } = (await documents.next()).value as { url: string; adminKey: string }
    const crowd = new Crowd(url, adminKey)
    const auditor = crowd.audit()
    await auditor.standing
    const memory = watchMemory(child)
    note(`${clients} clients for ${seconds} s on ${url}`)
    const started = performance.now()
    const all = Array.from({ length: clients }, (_, index) => crowd.join(index))
    await delay(seconds * 1_000)
    note('SIGTERM')
    crowd.ending = true
    const elapsed = (performance.now() - started) / 1_000
    const requests = crowd.requests
    child.kill('SIGTERM')
    const exit = child.exitCode === null ? ((await once(child, 'exit')) as [number | null])[0] : child.exitCode
    crowd.over = true
    await Promise.all(all)
    await auditor.finished
    const end = (await documents.next()).value as { begun: number; answered: number } | undefined
    note('a new server on the same data: what was written last must be in its log')
    child = serve(folder, env)
    await crowd.catchUp(((await documentsOf(child).next()).value as { url: string }).url)
    return {
      requests,
      perSecond: Math.round(requests / elapsed),
      ...crowd.report(),
      memory: memory(),
      end: { exitCode: exit, begun: end?.begun ?? -1, answered: end?.answered ?? -1 },
    }
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await rm(folder, { recursive: true, force: true })
  }
}

function serve(cwd: string, env: Record<string, string>) {
  const args = [bin, 'serve', '--json', '--agents', '1']
  return spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] })
}

async function* documentsOf({ stdout }: ReturnType<typeof serve>): AsyncGenerator<unknown, undefined> {
  for await (const line of createInterface(stdout)) yield JSON.parse(line)
}

class Crowd {
  requests = 0
  /** SIGTERM was sent: 503 and refused connections are what is to be expected. */
  ending = false
  over = false
  readonly #url: string
  readonly #headers: Record<string, string>
  readonly #answers = new Map<string, number>()
  readonly #faults: string[] = []
  readonly #latencies: number[] = []
  readonly #written = new Set<string>()
  /** Every event of members, in the order of the log. */
  readonly #log: string[] = []
  readonly #seen: string[][] = []
  /** The cursor of the last event of the log that was seen. */
  #last = ''

  constructor(url: string, key: string) {
    this.#url = url
    this.#headers = { authorization: `Bearer ${key}` }
  }

  async join(index: number): Promise<void> {
    const kind = index % 8
    for (let round = 0; !this.over; round++) {
      if (kind < 4) await this.#read(round + index)
      else if (kind < 6) await this.#write(index, round)
      else await this.#stream()
      if (this.ending) await delay(20)
    }
  }

  /** A stream from the very beginning: what it does not hold is lost. */
  audit(): { readonly standing: Promise<void>; readonly finished: Promise<void> } {
    const standing = Promise.withResolvers<void>()
    const finished = this.#follow(this.#log, standing.resolve)
    return { standing: standing.promise, finished }
  }

  /** Goes on with the log where it broke off, until everything that was written has come, or nothing does for 10 s. */
  async catchUp(url: string): Promise<void> {
    const missing = new Set([...this.#written].filter((id) => !this.#log.includes(id)))
    const stop = new AbortController()
    let patience = setTimeout(() => stop.abort(), 10_000)
    try {
      const headers = { ...this.#headers, ...(this.#last === '' ? {} : { 'last-event-id': this.#last }) }
      const reply = await fetch(`${url}/api/v1/events?types=member.*&from=start`, { headers, signal: stop.signal })
      for await (const { subject } of eventsOf(reply)) {
        this.#log.push(subject)
        missing.delete(subject)
        clearTimeout(patience)
        if (missing.size === 0) break
        patience = setTimeout(() => stop.abort(), 10_000)
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error
    } finally {
      clearTimeout(patience)
      stop.abort()
    }
  }

  async #read(round: number): Promise<void> {
    const paths = [
      '/api/v1/runs?limit=20',
      '/api/v1/whoami',
      '/api/v1/members?limit=20',
      '/api/v1/workflows',
      '/readyz',
    ]
    await this.#call(paths[round % paths.length]!, { headers: this.#headers })
  }

  async #write(index: number, round: number): Promise<void> {
    const headers = { ...this.#headers, 'content-type': 'application/json', 'idempotency-key': `${index}-${round}` }
    const body = JSON.stringify({ name: `member ${index} ${round}`, role: 'viewer' })
    const document = await this.#call('/api/v1/members', { method: 'POST', headers, body })
    if (document !== null) this.#written.add((document as { id: string }).id)
  }

  async #stream(): Promise<void> {
    const seen: string[] = []
    this.#seen.push(seen)
    await this.#follow(seen, () => {})
    if (!this.over) await delay(20)
  }

  async #follow(into: string[], onOpen: () => void): Promise<void> {
    try {
      const from = into === this.#log ? '&from=start' : ''
      const reply = await fetch(`${this.#url}/api/v1/events?types=member.*${from}`, { headers: this.#headers })
      this.#count(String(reply.status))
      if (reply.status >= 500 && !(this.ending && reply.status === 503)) this.#faults.push(`events: ${reply.status}`)
      if (reply.body === null || !reply.ok) return
      onOpen()
      for await (const { subject, cursor } of eventsOf(reply)) {
        into.push(subject)
        if (into === this.#log) this.#last = cursor
      }
    } catch (error) {
      this.#countBroken(error)
    }
  }

  /** The document of a success; null for anything else. */
  async #call(path: string, init: RequestInit): Promise<unknown> {
    const started = performance.now()
    try {
      const reply = await fetch(this.#url + path, init)
      const text = await reply.text()
      this.#latencies.push(performance.now() - started)
      this.requests += 1
      this.#count(String(reply.status))
      const isExpected = reply.status < 500 || (this.ending && reply.status === 503)
      if (!isExpected) this.#faults.push(`${path}: ${reply.status} ${text.slice(0, 200)}`)
      return reply.ok ? JSON.parse(text) : null
    } catch (error) {
      this.#countBroken(error)
      return null
    }
  }

  #countBroken(error: unknown): void {
    const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined
    const code = cause?.code ?? String(error)
    this.#count(code)
    if (!this.ending) this.#faults.push(`a connection broke: ${code}`)
  }

  #count(what: string): void {
    this.#answers.set(what, (this.#answers.get(what) ?? 0) + 1)
  }

  report() {
    const place = new Map(this.#log.map((id, index) => [id, index]))
    const torn = this.#seen.filter((seen) =>
      seen.some((id, index) => index > 0 && place.get(id) !== place.get(seen[index - 1]!)! + 1),
    )
    const sorted = this.#latencies.toSorted((a, b) => a - b)
    const at = (share: number) => Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 10) / 10
    return {
      answers: Object.fromEntries([...this.#answers].sort()),
      faults: this.#faults.slice(0, 20),
      events: {
        written: this.#written.size,
        lost: [...this.#written].filter((id) => !place.has(id)).length,
        doubled: this.#log.length - place.size,
        torn: torn.length,
        delivered: this.#seen.reduce((sum, seen) => sum + seen.length, 0),
      },
      latencyMs: { p50: at(0.5), p99: at(0.99) },
    }
  }
}

/** What the events of a stream are about, and where each stands. */
async function* eventsOf(reply: Response): AsyncGenerator<{ readonly subject: string; readonly cursor: string }> {
  let rest = ''
  for await (const chunk of reply.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    for (const line of lines.filter((text) => text.startsWith('data: '))) {
      const { cursor, subject } = JSON.parse(line.slice(6)) as { cursor: string; subject: { id: string } }
      yield { cursor, subject: subject.id }
    }
  }
}

/** Resident memory of the server, by its own kernel; zeros where that tells nothing. */
function watchMemory(child: ChildProcess): () => CrowdReport['memory'] {
  const samples: number[] = []
  const timer = setInterval(() => {
    try {
      const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))
      if (match !== null) samples.push(Number(match[1]) / 1_024)
    } catch {
      // It has ended, or this system has no such file.
    }
  }, 100)
  return () => {
    clearInterval(timer)
    const half = Math.floor(samples.length / 2)
    const most = (part: readonly number[]) => Math.round(Math.max(0, ...part))
    return { mostMb: most(samples), firstHalfMb: most(samples.slice(0, half)), secondHalfMb: most(samples.slice(half)) }
  }
}
