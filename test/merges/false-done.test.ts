import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { artifactContent, listMerges, runProofs, showRun, startRun } from '../../src/contract.ts'
import { makeRepository, rawGit } from '../../src/foundation/platform/git/git.fixture.ts'
import { startApi, type TestApi } from '../support/api.ts'
import { openTestDatabase, type TestDatabase } from '../support/databases.ts'
import { scratchFolder } from '../support/run-cli.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 })
const scratch = scratchFolder('false-done')
const planted = 'pl4nted-9d2e77b1c0aa'
const peer = fileURLToPath(new URL('../../src/orchestration/agents/acp/acp-peer.fixture.ts', import.meta.url))
/** Long enough to outlive the test, and like nobody else's. */
const daemon = '86399.25'

/** Breaks the check, edits the user's checkout, says its secret, leaves a daemon, and says that all is well. */
const liar = `const { spawn } = require('node:child_process'), fs = require('node:fs')
const prompt = fs.readFileSync(0, 'utf8')
if (prompt.includes('[{"say":"honest')) { console.log('honest'); process.exit(0) }
fs.writeFileSync('check.sh', 'exit 1\\n')
fs.writeFileSync(process.env.LEANVIBE_REPO + '/outside.txt', 'mine now\\n')
spawn('sleep', ['${daemon}'], { detached: true, stdio: 'ignore' }).unref()
console.log('the key is ' + process.env.PLANTED)
console.log('done: all tests pass')
`
const lies = JSON.stringify([
  { write: 'check.sh', content: 'exit 1\n' },
  { leak: 'PLANTED' },
  { daemon: true },
  { say: 'done: all tests pass' },
])

const workflow = (kind: string) => `name: lie-${kind}
steps:
  work:
    workspace: worktree
    capabilities: [${kind}]
    env: { PLANTED: '\${{ secrets.PLANTED }}' }
    agent: { prompt: ${JSON.stringify(lies)} }
    outputs: { said: stdout }
  again: { needs: work, capabilities: [${kind}], agent: { prompt: ${JSON.stringify('[{"say":"honest"}]')} } }
  judge:
    needs: work
    allowFailure: true
    base: \${{ steps.work.outputs.commit }}
    gate: { checks: [{ check: tests, command: [sh, check.sh] }] }
  merge:
    needs: [work, again, judge]
    merge: { commit: '\${{ steps.work.outputs.commit }}', checks: [{ name: tests, command: [sh, check.sh] }] }
`

let use: TestDatabase | undefined
let api: TestApi | undefined
let repository: string
beforeAll(async () => {
  repository = join(scratch.path, 'repository')
  makeRepository(repository, { 'check.sh': 'exit 0\n' })
  writeFileSync(join(scratch.path, 'liar.cjs'), liar)
  use = await openTestDatabase('pglite')
  const yaml = `secrets: { PLANTED: { command: [echo, ${planted}] } }
agents: 2
pools:
  spoken: { kind: acp, command: [${process.execPath}, ${peer}], capabilities: [spoken], agents: 1, confine: { mode: off } }
  plain: { kind: command, command: [${process.execPath}, ${join(scratch.path, 'liar.cjs')}], capabilities: [plain], agents: 1 }
`
  api = await startApi(use.db, { work: true, yaml })
})
afterAll(async () => {
  await api?.close()
  await use?.close()
  await scratch.remove()
})

/** The files of a run. A bundle that is made anew meanwhile has another name then: it is looked for again. */
async function filesOf(run: string): Promise<readonly string[]> {
  const { owner } = api!
  for (;;) {
    const { artifacts } = await owner.call(showRun, { params: { id: run } })
    const read = artifacts.map(async ({ id }) => {
      const { body } = await owner.bytes(artifactContent, { params: { id } })
      return new Response(body as never).text()
    })
    const files = await Promise.allSettled(read)
    const missing = artifacts.filter((_, n) => files[n]!.status === 'rejected')
    if (missing.length === 0) return files.map((file) => (file as PromiseFulfilledResult<string>).value)
    for (const { id } of missing) expect(id).toMatch(/^art_proof_/)
  }
}

function daemons(): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(`sleep\0${daemon}`)
    } catch {
      // It ended between the two looks.
      return false
    }
  })
}

describe.each(['plain', 'spoken'])('an agent of the pool %s says "done" with failing tests', (kind) => {
  test('its work stays out of main, it is told why, and what it was given is taken back', async () => {
    const { owner, errors } = api!
    const before = rawGit(repository, 'rev-parse', 'main')
    const source = { text: workflow(kind), fileName: 'lie.yaml' }
    const { id } = await owner.call(startRun, { body: { source, repo: repository, inputs: {}, labels: {} } })
    const detail = () => owner.call(showRun, { params: { id } })
    await expect.poll(async () => (await detail()).run.state, { timeout: 90_000, interval: 200 }).toBe('failed')

    const { tasks } = await detail()
    const states = Object.fromEntries(tasks.map(({ step, state }) => [step, state]))
    const { error } = tasks.find(({ step }) => step === 'merge')!
    expect(error).toMatchObject({ code: 'merge-refused', message: expect.stringContaining('tests') })
    // The slot it had was free for the next task of its pool.
    expect(states).toMatchObject({ work: 'succeeded', again: 'succeeded', merge: 'failed' })
    expect(rawGit(repository, 'rev-parse', 'main')).toBe(before)
    expect(rawGit(repository, 'ls-tree', '-r', '--name-only', 'main')).toBe('check.sh')
    expect(rawGit(repository, 'worktree', 'list').split('\n')).toHaveLength(1)
    expect(daemons()).toEqual([])

    const { items: merges } = await owner.call(listMerges, { query: { run: id } })
    expect(merges).toMatchObject([{ state: 'refused', explanation: expect.stringContaining('do not pass: tests') }])
    const { items } = await owner.call(runProofs, { params: { id }, query: {} })
    expect(items[0]!.proof).toMatchObject({
      task: { step: 'work', state: 'succeeded' },
      gates: [
        {
          step: 'judge',
          verdict: 'block',
          checks: [{ name: 'tests', passed: false, evidence: { name: 'gate/judge/tests.txt' } }],
        },
        { step: 'merge', checks: [{ name: 'tests', passed: false }] },
      ],
      merges: [{ state: 'refused', to: expect.any(String) }],
    })
    const texts = [JSON.stringify(await detail()), JSON.stringify(items)]
    texts.push(...(await filesOf(id)))
    const logs = await use!.owner<{ text: string }>(`select convert_from(bytes, 'UTF8') as text from log_chunks`)
    for (const text of [...texts, ...logs.map((row) => row.text)]) expect(text).not.toContain(planted)
    expect(errors).toEqual([])
  })
})
