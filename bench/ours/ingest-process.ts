import { createHmac, timingSafeEqual } from 'node:crypto'
import fastify from 'fastify'
import { ruleLanguage } from '../../src/app/rule-language.ts'
import { createSigningKeys, createWebhooks } from '../../src/external-api/webhooks/index.ts'
import { listSources } from '../../src/external-api/webhooks/sources-contract.ts'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import { sql } from '../../src/foundation/platform/database/sql.ts'
import { bearerTokenOf } from '../../src/foundation/platform/http/bearer-token.ts'
import { createServer } from '../../src/foundation/platform/http/server.ts'
import { serveCalls } from '../harness/worker-process.ts'
import { openBenchDatabase } from './platform.ts'

export interface Listening {
  readonly port: number
  readonly path: string
  readonly secret: string
}

/** Two conditions that a push does not fit, and two of which each takes one in ten. */
const rules = [
  { when: "headers['x-github-event'] == 'issue_comment'", publish: { type: 'comment.made' } },
  {
    when: "headers['x-github-event'] == 'push' && payload.ref.startsWith('refs/tags/')",
    publish: { type: 'tag.pushed', subject: '${{ payload.ref }}' },
  },
  {
    when: "headers['x-github-event'] == 'push' && payload.ref == 'refs/heads/main' && int(payload.n) % 10 == 0",
    publish: {
      type: 'main.pushed',
      subject: '${{ payload.ref }}',
      data: { n: '${{ payload.n }}', at: '${{ delivery.receivedAt }}' },
    },
  },
  {
    when: 'has(payload.round) && int(payload.n) % 10 == 5',
    publish: { type: 'round.pushed', data: { round: '${{ payload.round }}' } },
  },
]

const refuse = () => Promise.reject(new Error('the rules of this bench start nothing'))
/** Of the webhooks taken: on disk, through with its rules, and of these those that a rule took. */
export interface Counts {
  readonly stored: number
  readonly routed: number
  readonly fitted: number
}

const closers: (() => Promise<unknown>)[] = []

/** The product's own way: verified, stored, deduplicated, then routed by the same process. */
async function listenOurs(): Promise<Listening> {
  const database = await openBenchDatabase(process.env.BENCH_DATABASE_URL!, { migrate: true })
  const token = 'lvt_bench'
  const webhooks = createWebhooks({
    database,
    keys: createSigningKeys(Buffer.alloc(32, 1)),
    language: ruleLanguage,
    actions: { startRun: refuse, requireRun: refuse },
    readSecret: refuse,
    secretNames: [],
    allow: [],
    onError: (error) => console.error('leanvibe:', error),
  })
  const owner = { id: 'bench', tenant: 'default' as TenantId, permissions: ['*'] }
  const server = createServer({ routes: webhooks.routes, authenticate: bearerTokenOf(token, owner) })
  const { url, port } = await server.listen()
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const rate = { limit: 10_000_000, seconds: 60 }
  const source = { name: 'bench', preset: 'github', rate, rules: process.env.BENCH_RULES === 'on' ? rules : [] }
  const made = await fetch(url + listSources.path, { method: 'POST', headers, body: JSON.stringify(source) })
  const { id, path } = (await made.json()) as { id: string; path: string }
  const shown = await fetch(`${url}${listSources.path}/${id}/secret`, { headers })
  const { secret } = (await shown.json()) as { secret: string }
  if (process.env.BENCH_ROUTING === 'on') webhooks.start()
  closers.push(
    () => server.close({ graceMs: 500 }),
    () => webhooks[Symbol.asyncDispose](),
    () => database.close(),
  )
  counts.push(async () => {
    const rows = await database.asSystem('bench').read((tx) =>
      tx.query<Counts>(sql`
        select count(*)::int as stored, (count(*) filter (where state in ('routed', 'ignored')))::int as routed,
          (count(*) filter (where state = 'routed'))::int as fitted
        from webhook_receipts`),
    )
    return rows[0]!
  })
  return { port, path, secret }
}

const counts: (() => Promise<Counts>)[] = []

/** What is left when nothing is kept: the same check of the same signature on a bare route. */
async function listenBare(): Promise<Listening> {
  const secret = 'a secret of the bare route'
  const app = fastify({ logger: false })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.post('/webhooks/:id', async (request, reply) => {
    const given = Buffer.from(String(request.headers['x-hub-signature-256']).slice('sha256='.length), 'hex')
    const expected = createHmac('sha256', secret)
      .update(request.body as Buffer)
      .digest()
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return reply.code(401).send()
    return { status: 'accepted' }
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  closers.push(() => app.close())
  return { port: typeof address === 'object' && address !== null ? address.port : 0, path: '/webhooks/bench', secret }
}

serveCalls({
  start: async () => null,
  listen: () => (process.env.BENCH_MODE === 'bare' ? listenBare() : listenOurs()),
  count: () => counts[0]!(),
  /** Microseconds of processor time so far. */
  cpu: async () => {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  stop: async () => {
    for (const close of closers) await close()
  },
})
