import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ruleLanguage } from '../../src/app/rule-language.ts'
import { ruleActions } from '../../src/app/webhooks.ts'
import { type Client, createClient } from '../../src/client/client.ts'
import { createSigningKeys, createWebhooks, type WebhooksOptions } from '../../src/external-api/webhooks/index.ts'
import { bearerTokenOf } from '../../src/foundation/platform/http/bearer-token.ts'
import { createServer } from '../../src/foundation/platform/http/server.ts'
import { startConsumer } from '../../src/foundation/runtime/consumer.ts'
import type { Loop } from '../../src/foundation/runtime/loop.ts'
import { startTicker } from '../../src/foundation/runtime/ticker.ts'
import type { TestDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

export const keys = createSigningKeys(Buffer.alloc(32, 3))

export interface WebhookPlatform extends AsyncDisposable {
  readonly platform: TestPlatform
  readonly client: Client
  readonly url: string
  readonly errors: unknown[]
}

/** Webhooks on a database behind a real port, with ticks, waits and deliveries running; `allow` is loopback alone. */
export async function openWebhookPlatform(
  use: TestDatabase,
  options: Partial<WebhooksOptions> & { readonly definitions?: Readonly<Record<string, string>> } = {},
): Promise<WebhookPlatform> {
  const errors: unknown[] = []
  const onError = (error: unknown) => void errors.push(error)
  const platform = new TestPlatform(use, options.definitions === undefined ? {} : { definitions: options.definitions })
  const { database } = platform
  const ticker = startTicker(database, { onError })
  const webhooks = createWebhooks({
    database,
    keys,
    language: ruleLanguage,
    actions: ruleActions(platform.parts.runs, null),
    readSecret: async (name) => `the secret called ${name}`,
    secretNames: ['GITHUB_SECRET', 'SLACK_SECRET', 'STRIPE_SECRET'],
    allow: ['127.0.0.1'],
    onCommit: () => ticker.poke(),
    onError,
    ...options,
  })
  const waits: Loop = startConsumer(database, {
    name: 'event-waits',
    handle: (tx, events) => platform.parts.waits(tx, events, database.clock.now()),
    onError,
  })
  webhooks.start()
  const token = 'lvt_tests'
  const server = createServer({
    routes: webhooks.routes,
    authenticate: bearerTokenOf(token, { id: 'owner', tenant, permissions: ['*'] }),
  })
  const { url } = await server.listen()
  return {
    platform,
    url,
    errors,
    client: createClient({ url, token }),
    async [Symbol.asyncDispose]() {
      await server.close({ graceMs: 200 })
      await webhooks[Symbol.asyncDispose]()
      await waits.stop()
      await ticker.stop()
    },
  }
}

export interface Received {
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface Receiver extends AsyncDisposable {
  readonly url: string
  readonly received: Received[]
  readonly port: number
}

/** A receiver of webhooks that answers as it is told; by default 204. `answer` gets the requests in order of arrival. */
export async function startReceiver(
  answer: (request: Received, response: ServerResponse, n: number) => void = (_, response) =>
    response.writeHead(204).end(),
): Promise<Receiver> {
  const received: Received[] = []
  const server = createHttpServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const one = { headers: request.headers, body }
    received.push(one)
    answer(one, response, received.length)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Headers as GitHub sends them. */
export function githubHeaders(body: string, secret: string, delivery: string, event = 'push'): Record<string, string> {
  return {
    'content-type': 'application/json',
    'x-github-event': event,
    'x-github-delivery': delivery,
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  }
}
