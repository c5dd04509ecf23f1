import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import type { PeerStep } from '../sessions/peer-script.fixture.ts'

export interface SeenCall {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: JsonValue
}

export type Respond = (call: SeenCall, response: ServerResponse) => void | Promise<void>

/** A service of the tests: a real HTTP server that answers as it is told, and keeps what it was asked. */
export class ServicePeer implements AsyncDisposable {
  readonly seen: SeenCall[] = []
  respond: Respond = (_, response) => sendJson(response, 200, { ok: true })
  readonly #server = createServer((request, response) => {
    void this.#answer(request, response)
  })

  static async start(respond?: Respond): Promise<ServicePeer> {
    const peer = new ServicePeer()
    if (respond !== undefined) peer.respond = respond
    peer.#server.listen(0, '127.0.0.1')
    await once(peer.#server, 'listening')
    return peer
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part)
    const text = Buffer.concat(parts).toString('utf8')
    const { method = '', url = '', headers } = request
    const call = { method, path: url, headers, body: text === '' ? null : (JSON.parse(text) as JsonValue) }
    this.seen.push(call)
    await this.respond(call, response)
  }
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: JsonValue,
  headers: Record<string, string> = {},
) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** Tells something at the address that came with the task; resolves to the status and what was said to it. */
export async function tell(url: string, message: object): Promise<{ status: number; body: JsonObject }> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(message),
  })
  return { status: answer.status, body: (await answer.json()) as JsonObject }
}

/** Takes a task, answers 202, and does what its prompt says, telling of it at the callback. */
export function playScripts(): Respond {
  let state = 'working'
  return (call, response) => {
    if (call.method === 'GET' && state === 'dead') return void response.destroy()
    if (call.method === 'GET' && state === 'babbling') return sendJson(response, 200, { text: 'x'.repeat(200_000) })
    if (call.method !== 'POST') return sendJson(response, 200, { state: 'working' })
    const { prompt, callback } = call.body as { prompt: string; callback: { url: string } }
    const steps = JSON.parse(prompt) as PeerStep[]
    state = 'working'
    if ('refuse' in steps[0]!) return sendJson(response, 422, { error: 'not a task for me' })
    sendJson(response, 202, { id: 'job-1' })
    void play(steps, callback.url, (next) => {
      state = next
    })
  }
}

async function play(steps: readonly PeerStep[], url: string, become: (state: string) => void): Promise<void> {
  for (const step of steps) {
    if ('say' in step) await tell(url, { type: 'words', text: step.say })
    else if ('flood' in step) {
      const text = 'flood '.repeat(2_730)
      for (let left = step.flood * 960; left > 0; left -= text.length) await tell(url, { type: 'words', text })
    } else if ('spent' in step)
      await tell(url, { type: 'usage', inputTokens: step.spent.input, outputTokens: step.spent.output })
    else if ('fail' in step) return void (await tell(url, { type: 'failure', message: step.fail }))
    else if ('hang' in step) return
    else if ('die' in step) return become('dead')
    else if ('garbage' in step) return become('babbling')
  }
  await tell(url, { type: 'result' })
}
