import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openTestDatabase } from '../support/databases.ts'
import { documentsOf, scratchFolder, startCli } from '../support/run-cli.ts'

const scratch = scratchFolder('push-kill')
afterAll(() => scratch.remove())

const settings = { a2a: { allow: ['127.0.0.1/32'] } }
const workflow = `name: greet
inputs: { task: { type: string } }
steps: { say: { command: [echo, 'hello \${{ inputs.task }}'], outputs: { text: stdout } } }
outputs: { text: '\${{ steps.say.outputs.text }}' }
`

/** A real server on a PostgreSQL database. */
async function serve(url: string, failpoints?: string) {
  const env = { DATABASE_URL: url, ...(failpoints === undefined ? {} : { LEANVIBE_FAILPOINTS: failpoints }) }
  const cli = startCli(['serve', '--json', '--no-admin-key'], { cwd: scratch.path, env, timeoutMs: 120_000 })
  const ended = cli.ended.then(({ stderr }) => Promise.reject(new Error(stderr)))
  ended.catch(() => {})
  while (!cli.stdout().includes('\n')) await Promise.race([once(cli.child.stdout!, 'data'), ended])
  return { cli, url: (documentsOf(cli.stdout())[0] as { localUrl: string }).localUrl }
}

test('a server that is killed while it tells of a task loses no word of it, and tells nothing after what came later', {
  timeout: 120_000,
}, async () => {
  mkdirSync(join(scratch.path, 'workflows'))
  writeFileSync(join(scratch.path, 'workflows', 'greet.yaml'), workflow)
  writeFileSync(join(scratch.path, 'leanvibe.yaml'), JSON.stringify(settings))
  const told: string[] = []
  const receiver = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    told.push((JSON.parse(body) as { task: { status: { state: string } } }).task.status.state)
    response.end()
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  const use = await openTestDatabase('postgres')
  const waiting = async () => (await use.owner<{ n: number }>('select count(*)::int as n from a2a_pushes'))[0]!.n
  try {
    // As soon as the task is taken, with a word of it in hand, and when that was told but not noted.
    for (const place of ['at once', 'push.claimed', 'push.sent']) {
      const server = await serve(use.url!, place === 'at once' ? undefined : `${place}=kill`)
      if (place === 'at once') {
        const token = readFileSync(join(scratch.path, '.leanvibe', 'token'), 'utf8').trim()
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'a2a-version': '1.0' }
        const offer = JSON.stringify({ kind: 'workflow', target: 'greet' })
        const published = await fetch(`${server.url}/api/v1/registry/greet`, { method: 'PUT', headers, body: offer })
        expect(published.status).toBe(200)
        const taskPushNotificationConfig = { url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/` }
        const message = { messageId: 'm1', role: 'ROLE_USER', parts: [{ text: 'ann' }] }
        const params = { message, configuration: { taskPushNotificationConfig, returnImmediately: true } }
        const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'SendMessage', params })
        const answer = await fetch(`${server.url}/a2a/greet`, { method: 'POST', headers, body })
        expect(await answer.json()).toMatchObject({ result: { task: { id: expect.stringContaining('run_') } } })
        server.cli.child.kill('SIGKILL')
      }
      await server.cli.ended
      expect(server.cli.child.signalCode, place).toBe('SIGKILL')
      // What it had in hand is let go after a while; here that while is over.
      await use.owner('update a2a_pushes set due_at = now()')
    }
    const last = await serve(use.url!)
    try {
      await expect.poll(() => told.at(-1), { timeout: 40_000 }).toBe('TASK_STATE_COMPLETED')
      await expect.poll(waiting, { timeout: 20_000 }).toBe(0)
      const order = ['TASK_STATE_SUBMITTED', 'TASK_STATE_WORKING', 'TASK_STATE_COMPLETED']
      expect(told.every((state) => order.includes(state))).toBe(true)
      expect(told).toEqual(told.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)))
      // One was told twice: whoever told it first did not live to note it.
      expect(told.length).toBeGreaterThan(new Set(told).size)
    } finally {
      last.cli.child.kill('SIGTERM')
      await last.cli.ended
    }
  } finally {
    receiver.close()
    await use.close()
  }
})
