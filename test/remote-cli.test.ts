import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type CliProcess, documentsOf, runCli, scratchFolder, startCli } from './support/run-cli.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 })

const place = scratchFolder('remote')
const there = join(place.path, 'server')
const here = join(place.path, 'here')
for (const folder of [there, here]) mkdirSync(folder)
writeFileSync(join(there, 'leanvibe.yaml'), '')
writeFileSync(join(here, 'leanvibe.yaml'), '')
writeFileSync(
  join(here, 'hello.yaml'),
  'name: hello\nsteps:\n  greet: { command: [echo, hello], outputs: { words: stdout } }\noutputs: { words: "${{ steps.greet.outputs.words }}" }\n',
)

let server: CliProcess
let url = ''
let key = ''
beforeAll(async () => {
  server = startCli(['serve', '--json'], { cwd: there, timeoutMs: 150_000 })
  await vi.waitFor(() => expect(server.stdout()).toContain('"listening"'), { timeout: 60_000 })
  ;({ url, adminKey: key } = documentsOf(server.stdout())[0] as { url: string; adminKey: string })
})
afterAll(async () => {
  server.child.kill('SIGTERM')
  await server.ended
  await place.remove()
})

const call = (
  args: readonly string[],
  env: Readonly<Record<string, string>> = { LEANVIBE_URL: url, LEANVIBE_KEY: key },
) => runCli(args, { cwd: here, env })

test('a run on a server elsewhere is started, followed and read from here, and nothing is opened here', async () => {
  const run = await call(['orchestrate', './hello.yaml', '--url', url, '--key', key, '--json'], {})
  expect(run.code, run.stderr).toBe(0)
  const id = /run_[a-z0-9]+/.exec(run.stdout)![0]
  expect((await call(['runs', 'logs', id])).stdout).toContain('hello')
  const again = await call(['orchestrate', '--detach', './hello.yaml'])
  expect(again.stdout.trim()).toMatch(/^run_/)
  expect(existsSync(join(here, '.leanvibe', 'database'))).toBe(false)
  expect(existsSync(join(here, '.leanvibe', 'server.json'))).toBe(false)
})

/** Each reads, and none needs anything but the server. */
const commands = [
  ...[
    ['runs'],
    ['approvals'],
    ['merges'],
    ['checkpoint', '--list'],
    ['schedules'],
    ['monitor', '--metrics'],
    ['agents'],
    ['pools'],
  ],
  ...[
    ['scaling', 'history'],
    ['liveness'],
    ['queue', 'show'],
    ['resources', 'show'],
    ['budgets'],
    ['quotas'],
    ['models'],
  ],
  ...[
    ['workflows', 'list'],
    ['tenants'],
    ['keys'],
    ['members'],
    ['webhook'],
    ['gateway'],
    ['streaming'],
    ['external-api'],
  ],
]
test('the commands that look ask the server that the environment names', async () => {
  const ends = []
  // A few at a time: each is a process.
  for (let n = 0; n < commands.length; n += 4) {
    ends.push(
      ...(await Promise.all(
        commands.slice(n, n + 4).map(async (args) => [args.join(' '), await call([...args, '--json'])] as const),
      )),
    )
  }
  expect(Object.fromEntries(ends.map(([name, { code, stderr }]) => [name, `${code} ${stderr}`]))).toEqual(
    Object.fromEntries(commands.map((args) => [args.join(' '), '0 '])),
  )
  expect(existsSync(join(here, '.leanvibe', 'database'))).toBe(false)
})

test.each([
  [['serve', '--url', 'https://h'], 'usage', /serve takes no --url: it is a server/],
  [['migrate-to', './x', '--url', 'https://h'], 'usage', /migrate-to takes no --url/],
  [['doctor', '--key', 'hunter2'], 'usage', /doctor takes no --key: it looks at this machine/],
  [['runs', '--key', 'hunter2'], 'usage', /say which with --url/],
  [['runs', '--url', 'https://h'], 'server-needs-key', /asks for a key/],
  [['runs', '--url', 'https://me:hunter2@h', '--key', 'k'], 'usage', /its key is given with --key/],
  [
    ['runs', '--url', 'http://127.0.0.1:1', '--key', 'hunter2'],
    'server-unreachable',
    /no answer from http:\/\/127.0.0.1:1/,
  ],
  [
    ['orchestrate', 'repo-checkup', '--repo', '.', '--url', 'http://127.0.0.1:1', '--key', 'k'],
    'usage',
    /on the machine of the server/,
  ],
] as const)('%j is refused as %s', async (args, code, message) => {
  const end = await call([...args, '--json'], {})
  const { error } = documentsOf(end.stderr)[0] as { error: { code: string; message: string } }
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
  expect(end.stderr).not.toContain('hunter2')
})

test('a wrong key is told as that', async () => {
  const end = await call(['runs', '--json'], { LEANVIBE_URL: url, LEANVIBE_KEY: 'lvk_wrong' })
  expect(end.code).toBe(77)
})
