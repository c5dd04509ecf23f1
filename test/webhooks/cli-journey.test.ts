import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { eventually } from '../../src/foundation/runtime/log.fixture.ts'
import { type CliProcess, runCli, scratchFolder, startCli } from '../support/run-cli.ts'
import { githubHeaders } from './webhooks.fixture.ts'

const scratch = scratchFolder('webhooks')
const servers: CliProcess[] = []
afterAll(async () => {
  for (const { child, ended } of servers) {
    child.kill('SIGKILL')
    await ended
  }
  scratch.remove()
})

const workflow = `
name: greet
inputs:
  who: { type: string }
steps:
  say: { command: [echo, 'hello \${{ inputs.who }}'] }
`

test('what was answered with 2xx is done once, though the server is killed at that moment', {
  timeout: 180_000,
}, async () => {
  const cwd = join(scratch.path, 'project')
  mkdirSync(join(cwd, 'workflows'), { recursive: true })
  writeFileSync(join(cwd, 'leanvibe.yaml'), 'agents: 1\n')
  writeFileSync(join(cwd, 'workflows', 'greet.yaml'), workflow)
  writeFileSync(join(cwd, 'rules.yaml'), "- start: { workflow: greet, inputs: { who: '${{ payload.who }}' } }\n")
  const call = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli([...args, '--json'], { cwd })
    if (code !== 0) throw new Error(stderr)
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]))
  }
  const serve = async () => {
    const server = startCli(['serve', '--json'], { cwd, timeoutMs: 170_000 })
    servers.push(server)
    await eventually(() => server.stdout().includes('"listening"'), 60_000)
    const info = JSON.parse(readFileSync(join(cwd, '.leanvibe', 'server.json'), 'utf8')) as { url: string }
    return { server, url: info.url }
  }

  const first = await serve()
  const [source] = await call(
    'webhook',
    '--action',
    'add-source',
    '--name',
    'gh',
    '--preset',
    'github',
    '--rules',
    'rules.yaml',
  )
  const { path, secret } = source as { path: string; secret: string }
  const body = JSON.stringify({ who: 'ann' })
  const send = async (url: string) =>
    (await fetch(url + path, { method: 'POST', headers: githubHeaders(body, secret, 'd-1'), body })).json()
  expect(await send(first.url)).toMatchObject({ status: 'accepted' })
  const ended = once(first.server.child, 'exit')
  first.server.child.kill('SIGKILL')
  await ended

  const second = await serve()
  // The sender did not get the answer, say, and repeats: the secret is the same after the crash.
  expect(await send(second.url)).toMatchObject({ status: 'duplicate' })
  await eventually(async () => (await call('webhook', '--action', 'received'))[0]?.state === 'routed', 60_000)
  await eventually(async () => {
    const runs = await call('runs', 'list')
    return runs.length === 1 && runs[0]?.state === 'succeeded'
  })
  expect((await call('webhook'))[0]).toMatchObject({ status: 'healthy', serverRunning: true, sources: 1 })
  const published = await call('streaming', '--publish-test')
  expect(published).toHaveLength(3)
  const tailed = await call('streaming', '--action', 'tail', '--from', 'start', '--types', 'test.*', '--limit', '3')
  expect(tailed.map(({ type }) => type)).toEqual(Array(3).fill('test.published'))

  const signature = ['--hmac', 'header=x-sig', 'prefix=sha256=']
  await call('webhook', '--action', 'add-source', '--name', 'own', '--preset', 'hmac', ...signature)
  expect(await call('webhook', '--action', 'disable-source', '--id', 'own')).toMatchObject([
    { enabled: false, hmac: { header: 'x-sig', prefix: 'sha256=' } },
  ])
  expect(await call('webhook', '--action', 'enable-source', '--id', 'own')).toMatchObject([{ enabled: true }])

  // What is not sent for now is not waited for.
  await call(
    'webhook',
    '--action',
    'subscribe',
    '--name',
    'away',
    '--url',
    'https://receiver.example',
    '--types',
    'a.*',
  )
  await call('webhook', '--action', 'pause', '--id', 'away')
  const waiting = await runCli(['webhook', '--action', 'test', '--id', 'away'], { cwd })
  expect(waiting).toMatchObject({ code: 0, stdout: expect.stringContaining('away is paused') })
  const { code, stderr } = await runCli(['webhook', '--action', 'subscribe'], { cwd })
  expect(code).not.toBe(0)
  expect(stderr).toContain('--action subscribe needs --name')
})
