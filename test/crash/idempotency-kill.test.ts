import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openTestDatabase } from '../support/databases.ts'
import { documentsOf, scratchFolder, startCli } from '../support/run-cli.ts'

const scratch = scratchFolder('idempotency')
afterAll(() => scratch.remove())

/** A real server on a PostgreSQL database. */
async function serve(url: string, failpoints?: string) {
  const env = { DATABASE_URL: url, ...(failpoints === undefined ? {} : { LEANVIBE_FAILPOINTS: failpoints }) }
  const cli = startCli(['serve', '--json', '--no-admin-key'], { cwd: scratch.path, env, timeoutMs: 120_000 })
  const ended = cli.ended.then(({ stderr }) => Promise.reject(new Error(stderr)))
  ended.catch(() => {})
  while (!cli.stdout().includes('\n')) await Promise.race([once(cli.child.stdout!, 'data'), ended])
  const { localUrl } = documentsOf(cli.stdout())[0] as { localUrl: string }
  const token = (await readFile(join(scratch.path, '.leanvibe', 'token'), 'utf8')).trim()
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return {
    cli,
    add: () =>
      fetch(`${localUrl}/api/v1/members`, {
        method: 'POST',
        headers: { ...headers, 'idempotency-key': 'the-one' },
        body: JSON.stringify({ name: 'Ann', role: 'viewer' }),
      }),
    list: async () =>
      ((await (await fetch(`${localUrl}/api/v1/members`, { headers })).json()) as { items: unknown[] }).items,
  }
}

test('a server killed between the commit of a write and its answer: the repeat does not write again', {
  timeout: 120_000,
}, async () => {
  const use = await openTestDatabase('postgres')
  try {
    const first = await serve(use.url!, 'idempotency.done=kill')
    await expect(first.add()).rejects.toThrow()
    await first.cli.ended
    expect(first.cli.child.signalCode).toBe('SIGKILL')

    const second = await serve(use.url!)
    try {
      const busy = await second.add()
      expect([busy.status, await busy.json()]).toMatchObject([409, { code: 'idempotency-busy' }])
      await use.owner(`update idempotent_requests set held_until = now() - interval '1 second'`)
      for (let repeat = 0; repeat < 2; repeat++) {
        const told = await second.add()
        expect([told.status, await told.json()]).toMatchObject([409, { code: 'idempotency-unknown' }])
      }
      expect(await second.list()).toHaveLength(1)
    } finally {
      second.cli.child.kill('SIGTERM')
      await second.cli.ended
    }
  } finally {
    await use.close()
  }
})
