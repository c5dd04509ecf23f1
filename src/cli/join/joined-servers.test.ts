import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApi, type TestApi } from '../../../test/support/api.ts'
import { openTestDatabase, type TestDatabase } from '../../../test/support/databases.ts'
import { createKeyEndpoint, revokeKey } from '../../contract.ts'
import { createJoinedServers } from './joined-servers.ts'

let use: TestDatabase
let api: TestApi
beforeAll(async () => {
  use = await openTestDatabase('pglite')
  api = await startApi(use.db)
})
afterAll(async () => {
  await api.close()
  await use.close()
})

/** Carries calls to the server, tells what was shown there and answered, and can break the streams that are open. */
function carrier() {
  const seen: { path: string; token: string; status: number }[] = []
  const open = new Set<AbortController>()
  return {
    seen,
    breakStreams() {
      for (const one of open) one.abort(new Error('the line broke'))
      open.clear()
    },
    async fetch(input: string, init: RequestInit) {
      const path = new URL(input).pathname
      const line = new AbortController()
      const isStream = path.endsWith('/hints')
      if (isStream) open.add(line)
      const signal = init.signal ? AbortSignal.any([init.signal, line.signal]) : line.signal
      const answer = await fetch(input, { ...init, signal })
      const token = new Headers(init.headers).get('authorization') ?? ''
      seen.push({ path, token, status: answer.status })
      return answer
    },
  }
}

/** Ends the tokens of runners, as time would, and lets the server look at every key again. */
async function endTokens(): Promise<void> {
  await use.owner(`update access_keys set expires_at = now() - interval '1 minute' where kind = 'runner'`)
  const { id } = await api.owner.call(createKeyEndpoint, { body: { name: 'other', role: 'viewer' } })
  await api.owner.call(revokeKey, { params: { id } })
}

test('a token that has come to its end while nobody could renew it is traded anew, by calls and by streams', async () => {
  const line = carrier()
  const errors: unknown[] = []
  const { key } = await api.owner.call(createKeyEndpoint, { body: { name: 'machine', role: 'admin' } })
  await using server = createJoinedServers({
    ...{ urls: [api.server.localUrl], key, fetch: line.fetch },
    onError: (error) => void errors.push(error),
  })
  await server.start('there')
  const agents = [{ name: 'a', pool: 'p', kind: 'command', capabilities: [], labels: {}, slots: 1, weight: 1 }]
  const { runner } = await server.register('there', 1, agents)
  const stop = new AbortController()
  const failure = (async () => {
    for await (const _ of server.hints(runner, stop.signal));
  })().then(
    () => null,
    (error: unknown) => error,
  )
  const streams = () => line.seen.filter(({ path, status }) => path.endsWith('/hints') && status === 200)
  await expect.poll(streams, { timeout: 20_000 }).toHaveLength(1)

  await endTokens()
  const exchange = () =>
    server.exchange(runner, { reports: [], progress: [], holding: [], accept: true } as never, stop.signal)
  await expect
    .poll(async () => exchange().then(() => line.seen.some(({ status }) => status === 401)), { timeout: 15_000 })
    .toBe(true)
  const before = streams()[0]!.token
  line.breakStreams()
  await expect.poll(streams, { timeout: 20_000 }).toHaveLength(2)
  expect(streams()[1]!.token).not.toBe(before)
  expect(streams()[1]!.token).not.toBe(`Bearer ${key}`)
  stop.abort()
  expect(await failure).toBe(null)
  expect(errors).toEqual([])
})
