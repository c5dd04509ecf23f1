import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import {
  approve,
  artifactContent,
  listApprovals,
  type RunDetail,
  runProofs,
  showRun,
  startRun,
  taskProof,
} from '../../src/contract.ts'
import { makeRepository, rawGit } from '../../src/foundation/platform/git/git.fixture.ts'
import { startApi } from '../support/api.ts'
import { openTestDatabase } from '../support/databases.ts'
import { scratchFolder } from '../support/run-cli.ts'

vi.setConfig({ testTimeout: 240_000 })
const scratch = scratchFolder('proofs')
afterAll(() => scratch.remove())

const planted = 'planted-7f3a9c1e55d2'
const text = `name: proven
steps:
  fix:
    workspace: worktree
    env: { KEY: '\${{ secrets.KEY }}' }
    script: |
      echo "the key is $KEY"
      echo "key = from the environment" > config.txt
      printf 'AKIA%s\\n' QQQQQQQQQQQQQQQQ > found.txt
      echo 'exit 0' > check.sh
  gate:
    needs: fix
    base: \${{ steps.fix.outputs.commit }}
    gate: { checks: [{ check: tests, command: [sh, check.sh] }, { check: size }] }
  agree:
    needs: gate
    approval: { message: 'Take it?' }
  merge:
    needs: [agree, fix]
    merge: { commit: '\${{ steps.fix.outputs.commit }}', checks: [] }
  other: { command: [echo, hello] }
`

test('the bundle of a task that left a commit: kept when it ends, made again as the run goes on, and the same when made anew', async () => {
  const repository = join(scratch.path, 'repository')
  // Taking the secret out of a file is no leak, and yet it stands in the difference.
  makeRepository(repository, { 'check.sh': 'exit 1\n', 'config.txt': `key = ${planted}\n` })
  const use = await openTestDatabase('pglite')
  const api = await startApi(use.db, {
    work: true,
    yaml: `secrets: { KEY: { command: [echo, ${planted}] } }\nagents: 2\n`,
  })
  const { owner } = api
  const read = async (id: string) => {
    const { body } = await owner.bytes(artifactContent, { params: { id } })
    return Buffer.from(await new Response(body as never).arrayBuffer()).toString('utf8')
  }
  try {
    const source = { text, fileName: 'proven.yaml' }
    const run = await owner.call(startRun, { body: { source, repo: repository, inputs: {}, labels: {} } })
    const detail = (): Promise<RunDetail> => owner.call(showRun, { params: { id: run.id } })
    const bundles = async () => (await detail()).artifacts.filter(({ name }) => name === 'proof/bundle.json')
    const deadline = { timeout: 60_000, interval: 100 }
    // Before anybody has looked at the work there is something to look at.
    await expect.poll(async () => (await bundles()).length, deadline).toBe(1)
    const pending = async () => (await owner.call(listApprovals, { query: { state: 'pending' } })).items
    await expect.poll(async () => (await pending()).length, deadline).toBe(1)
    await owner.call(approve, { params: { id: (await pending())[0]!.id }, body: { comment: 'fine' } })
    await expect.poll(async () => (await detail()).run.state, deadline).toBe('succeeded')
    const proofs = () => owner.call(runProofs, { params: { id: run.id }, query: {} })
    // The kept one catches up with the record.
    await expect.poll(async () => (await proofs()).items[0]!.artifact, deadline).not.toBeNull()

    const { items, more } = await proofs()
    expect([items.length, more]).toEqual([1, 0])
    const { proof, sha256, artifact } = items[0]!
    const commit = rawGit(repository, 'rev-parse', 'main')
    expect(proof).toMatchObject({
      run: { state: 'succeeded' },
      task: { step: 'fix', state: 'succeeded', work: { kind: 'script' } },
      change: { added: 3, removed: 2, commit, cut: false },
      gates: [{ step: 'gate', verdict: 'pass', checks: [{ name: 'tests', passed: true }, { name: 'size' }] }],
      merges: [{ branch: 'main', state: 'merged', to: commit }],
      approvals: [{ step: 'agree', state: 'approved', by: 'owner', comment: 'fine' }],
    })
    expect(proof.change!.files.map(({ path }) => path)).toEqual(['check.sh', 'config.txt', 'found.txt'])
    expect(proof.commands.find(({ title }) => title === 'check tests')?.output).toContain('$ sh check.sh')

    // Byte for byte: what is kept, what is made now, and what its name says.
    const kept = await read(artifact!)
    const { body } = await owner.bytes(taskProof, { params: { id: proof.task.id }, query: { format: 'json' } })
    const made = Buffer.from(await new Response(body as never).arrayBuffer()).toString('utf8')
    expect(made).toBe(kept)
    expect(createHash('sha256').update(kept).digest('hex')).toBe(sha256)
    expect((await bundles()).map(({ id }) => id)).toEqual([artifact])

    const everything = [kept, ...(await Promise.all((await detail()).artifacts.map(({ id }) => read(id))))]
    for (const one of everything) expect(one).not.toContain(planted)
    expect(kept).not.toContain('AKIAQQQQ')
    expect(kept).toContain('[redacted: AWS access key]')
    const markdown = (await detail()).artifacts.find(({ name }) => name === 'proof/bundle.md')!
    expect(await read(markdown.id)).toContain('## What changed')

    // Asked for, a task without a change has one, too.
    const other = (await detail()).tasks.find(({ step }) => step === 'other')!
    const asked = await owner.call(runProofs, { params: { id: run.id }, query: { task: other.id } })
    expect(asked.items[0]!.proof).toMatchObject({
      change: null,
      commands: [{ title: 'echo hello', output: 'hello\n' }],
    })
    await expect(
      owner.call(runProofs, { params: { id: run.id }, query: { task: `${run.id}-none` } }),
    ).rejects.toMatchObject({ code: 'proof-not-found' })
    expect(api.errors).toEqual([])
  } finally {
    await api.close()
    await use.close()
  }
})
