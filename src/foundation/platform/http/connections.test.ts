import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { get } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from '../../kernel/schema.ts'
import { httpErrors } from './http-errors.ts'
import { route } from './route.ts'
import { at, auth, open, principal, serverOf } from './server.fixture.ts'
import { createServer } from './server.ts'

describe('upgrades', () => {
  const socket = (permission: 'public' | 'a:read') =>
    route({
      ...{ method: 'GET', path: '/ws', permission, reply: 'socket' },
      handle: ({ upgrade }) => {
        upgrade!.socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n')
        upgrade!.socket.pipe(upgrade!.socket)
      },
    })
  const ask = (port: number, headers = '') => {
    const client = connect(port, '127.0.0.1')
    client.write(`GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n${headers}\r\n`)
    return client
  }

  test('are taken over by their route, with all that stands before a route', async () => {
    const { port } = await serverOf([socket('a:read')]).listen()
    const stranger = ask(port)
    let refusal = ''
    stranger.on('data', (chunk) => {
      refusal += chunk
    })
    await once(stranger, 'close')
    expect(refusal).toMatch(/^HTTP\/1\.1 401 .*unauthenticated/s)
    const client = ask(port, 'authorization: Bearer lvt_right\r\n')
    let text = ''
    for await (const chunk of client) {
      text += String(chunk)
      if (text.endsWith('\r\n\r\n')) client.write('hello')
      if (text.endsWith('hello')) break
    }
    expect(text).toMatch(/^HTTP\/1\.1 101 /)
    client.destroy()
  })

  test('a plain request for one is told so, and an upgrade of another route is answered plainly', async () => {
    const server = serverOf([socket('public'), at('/plain')])
    expect((await server.inject('/ws')).json()).toMatchObject({ status: 426, code: 'upgrade-required' })
    const { port } = await server.listen()
    const client = connect(port, '127.0.0.1')
    client.write('GET /plain HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
    let text = ''
    for await (const chunk of client) text += String(chunk)
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('those that hang are cut at the end of the grace', async () => {
    const server = serverOf([socket('public')])
    const { port } = await server.listen()
    const client = ask(port)
    await once(client, 'data')
    await server.close({ graceMs: 50 })
    if (!client.closed) await once(client, 'close')
  })
})

describe('a stream whose key is revoked', () => {
  test('ends soon, and cannot be opened again', async () => {
    let valid = true
    const events = route({
      ...{ method: 'GET', path: '/events', permission: 'a:read', reply: 'events', output: z.int() },
      handle: async function* ({ signal }) {
        yield { data: 1 }
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    })
    const server = createServer({
      routes: [events],
      authenticate: async () => (valid ? principal : null),
      recheckMs: 20,
    })
    open.push(server)
    const { url } = await server.listen()
    const reply = await fetch(`${url}/events`, { headers: auth })
    valid = false
    expect(await reply.text()).toContain('data: 1')
    expect((await fetch(`${url}/events`, { headers: auth })).status).toBe(401)
  })
})

describe('a client that goes away in the middle of its body', () => {
  test.each(['/json', '/raw', '/below/x'])('is no failure of ours: %s', async (path) => {
    const told = Promise.withResolvers<{ level: string; fields: object }>()
    const say = (level: string) => (fields: object) => told.resolve({ level, fields })
    const handle = () => {}
    const server = serverOf(
      [
        route({ ...{ method: 'POST', path: '/json', permission: 'a:write', body: z.unknown() }, handle }),
        route({ ...{ method: 'POST', path: '/raw', permission: 'a:write', rawBody: true }, handle }),
      ],
      {
        logger: { debug: say('debug'), warn: say('warn'), error: say('error') },
        mounts: [
          {
            prefix: '/below',
            handle: async ({ request }) => {
              for await (const part of request) void part
            },
          },
        ],
      },
    )
    const { port } = await server.listen()
    const client = connect(port, '127.0.0.1')
    const head = 'host: x\r\nauthorization: Bearer lvt_right\r\ncontent-type: application/json\r\ncontent-length: 9'
    client.write(`POST ${path} HTTP/1.1\r\n${head}\r\nexpect: 100-continue\r\n\r\n`)
    // Somebody waits for the body by then.
    await once(client, 'data')
    client.destroy()
    expect(await told.promise).toMatchObject({ level: 'debug', fields: { code: 'request-malformed' } })
  })
})

describe('draining', () => {
  test('takes requests that were on their way, and tells every client to come no more', async () => {
    const server = serverOf([at('/a')])
    const { port } = await server.listen()
    const client = connect(port, '127.0.0.1')
    await once(client, 'connect')
    const closed = server.close({ graceMs: 5_000, lingerMs: 200 })
    client.write('GET /a HTTP/1.1\r\nhost: x\r\n\r\n')
    let text = ''
    for await (const chunk of client) text += String(chunk)
    expect(text).toMatch(/^HTTP\/1\.1 200 .*connection: close/s)
    await closed
    expect(server.figures()).toEqual({ begun: 1, answered: 1 })
  })

  test('counts what was cut', async () => {
    const entered = Promise.withResolvers<void>()
    const stuck = route({
      ...{ method: 'GET', path: '/stuck', permission: 'public' },
      handle: async ({ signal }) => {
        entered.resolve()
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        throw httpErrors.draining('cut')
      },
    })
    const server = serverOf([stuck])
    const { url } = await server.listen()
    const request = fetch(`${url}/stuck`).catch(() => null)
    await entered.promise
    await server.close({ graceMs: 10 })
    expect(await request).toBeNull()
    expect(server.figures()).toEqual({ begun: 1, answered: 0 })
  })
})

describe('ports', () => {
  test('TLS is spoken on an address for others, and a bad certificate is told', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'leanvibe-tls-'))
    try {
      const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(folder, name)) as [string, string]
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-days',
          '2',
          '-keyout',
          key,
          '-out',
          cert,
          ...subject,
        ],
        { stdio: 'ignore' },
      )
      const tls = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
      const server = serverOf([at('/a')])
      const { port } = await server.listen({ host: '0.0.0.0', tls })
      const reply = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
        get({ host: '127.0.0.1', port, path: '/a', ca: tls.cert, agent: false }, resolve).on('error', reject)
      })
      reply.resume()
      expect([reply.statusCode, reply.headers['strict-transport-security']]).toEqual([200, 'max-age=31536000'])
      await once(reply, 'end')
      await expect(serverOf([]).listen({ tls: { cert: 'x', key: 'y' } })).rejects.toMatchObject({
        code: 'tls-unusable',
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('health may have a port of its own, which answers nothing else', async () => {
    const server = serverOf([at('/livez'), at('/a')])
    const { url } = await server.listen()
    const health = await server.listen({ paths: ['/livez'] })
    expect((await fetch(`${health.url}/livez`)).status).toBe(200)
    expect((await fetch(`${health.url}/a`)).status).toBe(404)
    expect((await fetch(`${url}/a`)).status).toBe(200)
    expect((await fetch(`${url}/livez`)).status).toBe(200)
  })

  test('an address for others without TLS wants to be meant', async () => {
    await expect(serverOf([]).listen({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'bind-refused' })
    await serverOf([]).listen({ host: '0.0.0.0', plaintext: true })
  })
})
