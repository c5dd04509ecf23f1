import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type CliProcess, type CliResult, documentsOf, runCli, scratchFolder, startCli } from './support/run-cli.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const place = scratchFolder('join')
const here = join(place.path, 'server')
const there = join(place.path, 'elsewhere')
const repo = join(place.path, 'repo')
for (const folder of [here, there, repo, join(here, 'workflows')]) mkdirSync(folder)
const git = (...args: string[]) =>
  execFileSync('git', ['-C', repo, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], {
    encoding: 'utf8',
  }).trim()
git('init', '--quiet', '--initial-branch=main')
writeFileSync(join(repo, 'numbers.txt'), '1\n')
git('add', '.')
git('commit', '--quiet', '--message', 'first')
// The server has no agents of this pool, and the runner no others: each does what only it can do.
writeFileSync(join(here, 'leanvibe.yaml'), 'agents: 2\n')
writeFileSync(
  join(there, 'leanvibe.yaml'),
  `agents: 1
pools:
  local: { labels: { place: elsewhere } }
  scribe:
    command: [bash, -c, 'cat > /dev/null; echo "$OPENAI_BASE_URL" > base.txt; test -n "$OPENAI_API_KEY"; echo 2 >> numbers.txt']
    prompt: stdin
    capabilities: [write]
    models: ['*']
`,
)
writeFileSync(
  join(here, 'flow.yaml'),
  `name: flow
steps:
  look:
    command: [bash, -c, 'echo told; git -C "$LEANVIBE_REPO" cat-file -t "$LEANVIBE_COMMIT"; cp /etc/hostname here.txt']
    affinity: { labels: { place: elsewhere } }
    outputs: { words: stdout, file: { from: file, path: here.txt } }
  change:
    agent: { prompt: add a line }
    workspace: worktree
  check:
    needs: [change]
    gate: { checks: [{ name: tests, command: [grep, -q, '2', numbers.txt] }] }
    base: \${{ steps.change.outputs.commit }}
    affinity: { labels: { place: elsewhere } }
  called:
    needs: [change]
    workflow:
      name: look-again
      inputs: { commit: '\${{ steps.change.outputs.commit }}' }
  land:
    needs: [check, called]
    merge: { commit: '\${{ steps.change.outputs.commit }}', into: main, checks: [] }
outputs:
  words: \${{ steps.look.outputs.words }}
`,
)

// What a run that is called works on, its caller has left.
writeFileSync(
  join(here, 'workflows', 'look-again.yaml'),
  `name: look-again
inputs:
  commit: { type: string }
steps:
  check:
    gate: { checks: [{ name: tests, command: [grep, -q, '2', numbers.txt] }] }
    base: \${{ inputs.commit }}
    affinity: { labels: { place: elsewhere } }
`,
)

let server: CliProcess
let url = ''
let key = ''
const onServer = (...args: readonly string[]) => runCli([...args, '--json'], { cwd: here })
const ok = async (end: Promise<CliResult>) => {
  const { code, stdout, stderr } = await end
  expect(code, `${stderr}${stdout}`).toBe(0)
  return documentsOf(stdout)
}

beforeAll(async () => {
  server = startCli(['serve', '--json'], { cwd: here, timeoutMs: 170_000 })
  await vi.waitFor(() => expect(server.stdout()).toContain('"listening"'), { timeout: 60_000 })
  const [listening] = documentsOf(server.stdout()) as { url: string; adminKey: string }[]
  url = listening!.url
  key = listening!.adminKey
})
afterAll(async () => {
  server.child.kill('SIGTERM')
  await server.ended
  await place.remove()
})

test('a runner that knows a server by its address does its work, gates included; commits, logs and files come back', async () => {
  const env = { LEANVIBE_KEY: key }
  // The first of its servers is not there.
  const worker = startCli(['work', '--join', 'http://127.0.0.1:1', '--join', url, '--json'], {
    cwd: there,
    env,
    timeoutMs: 170_000,
  })
  await expect.poll(worker.stdout, { timeout: 60_000 }).toContain('"joined"')
  const [joined] = documentsOf(worker.stdout()) as { runner: string; servers: string[] }[]
  expect(joined).toMatchObject({ servers: ['http://127.0.0.1:1', url] })
  expect(worker.stdout()).not.toContain(key)

  const documents = await ok(
    runCli(['orchestrate', './flow.yaml', '--repo', repo, '--json'], { cwd: here, timeoutMs: 150_000 }),
  )
  const result = documents.at(-1) as { run: { id: string; state: string; outputs: { words: string } } }
  const id = (documents.find((each) => JSON.stringify(each).includes('run_')) &&
    /run_[a-z0-9]+/.exec(JSON.stringify(result))![0])!
  expect(JSON.stringify(result)).toContain('told\\ncommit')

  // The branch was moved where the repository is.
  expect(git('show', 'main:numbers.txt')).toBe('1\n2')
  expect(git('show', 'main:base.txt')).toContain(`${url}/v1`)
  const [shown] = (await ok(onServer('runs', 'show', id))) as { tasks: { step: string; agentId: string | null }[] }[]
  const doneBy = Object.fromEntries(
    shown!.tasks.map(({ step, agentId }) => [step, agentId?.startsWith(joined!.runner)]),
  )
  expect(doneBy).toEqual({ look: true, change: true, check: true, land: false })
  expect((await runCli(['runs', 'logs', id], { cwd: here })).stdout).toContain('told')
  await ok(onServer('artifacts', 'get', id, '--out', join(place.path, 'files')))
  expect(readFileSync('/etc/hostname', 'utf8').length).toBeGreaterThan(0)

  // It leaves in order: nothing more is given to it, and the list forgets it.
  worker.child.kill('SIGTERM')
  const end = await worker.ended
  expect(end.code, end.stderr).toBe(0)
  expect(documentsOf(end.stdout).at(-1)).toMatchObject({ type: 'ended', drained: true })
})
