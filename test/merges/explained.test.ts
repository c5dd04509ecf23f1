import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { cancelTaskOfRun, explainMerges, listMerges, showRun, startRun } from '../../src/contract.ts'
import { makeRepository, rawGit } from '../../src/foundation/platform/git/git.fixture.ts'
import { startApi, type TestApi } from '../support/api.ts'
import { openTestDatabase, type TestDatabase } from '../support/databases.ts'
import { scratchFolder } from '../support/run-cli.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 })
const scratch = scratchFolder('explained')

/** Two changes that pass alone need not pass together: each kind of thing may be there once. */
const check = `test "$(cat kind-* 2>/dev/null | sort | uniq -d)" = "" || { echo "two of a kind"; exit 1; }\n`

const workflow = `name: several
steps:
  one: { workspace: worktree, script: "echo red > kind-one; echo one >> list.txt" }
  two: { workspace: worktree, script: "echo blue > kind-two" }
  three: { workspace: worktree, script: "echo three >> list.txt" }
  four: { workspace: worktree, script: "echo red > kind-four" }
  bring:
    needs: [one, two, three, four]
    workflow: { name: bring-in, inputs: { commits: '\${{ [steps.one.outputs.commit, steps.two.outputs.commit, steps.three.outputs.commit, steps.four.outputs.commit] }}' } }
outputs: { states: '\${{ steps.bring.outputs.states }}', four: '\${{ steps.bring.outputs.four }}' }
`
const checks = 'checks: [{ name: tests, command: [sh, check.sh] }], onConflict: hand-back'
const bringIn = `name: bring-in
inputs: { commits: { type: json } }
steps:
  m1: { merge: { commit: '\${{ inputs.commits[0] }}', ${checks} } }
  m2: { needs: m1, merge: { commit: '\${{ inputs.commits[1] }}', ${checks} } }
  m3: { needs: m1, merge: { commit: '\${{ inputs.commits[2] }}', ${checks} } }
  m4: { needs: m1, merge: { commit: '\${{ inputs.commits[3] }}', ${checks} } }
  correct:
    needs: m4
    base: '\${{ steps.m4.outputs.candidate }}'
    env: { FOUND: '\${{ steps.m4.outputs.conflict }}' }
    workspace: worktree
    script: |
      case "$FOUND" in *"two of a kind"*) ;; *) echo "the evidence was not handed over: $FOUND" >&2; exit 1 ;; esac
      test -f kind-one && echo green > kind-four
  again: { needs: correct, merge: { commit: '\${{ steps.correct.outputs.commit }}', method: squash, ${checks} } }
outputs:
  states: '\${{ [steps.m1.outputs.state, steps.m2.outputs.state, steps.m3.outputs.state, steps.m4.outputs.state, steps.again.outputs.state] }}'
  four: '\${{ steps.m4.outputs.candidate }}'
`

/** Merges that a check of confidence guards. */
const sure = (name: string, how: string, count: number, broken = false) => `name: ${name}
steps:
${Array.from(
  { length: count },
  (
    _,
    n,
  ) => `  w${n}: { workspace: worktree, script: "${broken ? 'echo red > kind-x; echo red > kind-y' : `echo ${n} > ${name}-${n}.txt`}" }
  m${n}:
    needs: w${n}
    merge:
      commit: '\${{ steps.w${n}.outputs.commit }}'
      checks: [{ name: tests, command: [sh, check.sh] }, { check: confidence, agent: '${how}', type: chores }]
      onConflict: hand-back
`,
).join(
  '',
)}outputs: { states: '\${{ [${Array.from({ length: count }, (_, n) => `steps.m${n}.outputs.state`).join(', ')}] }}' }
`

let use: TestDatabase | undefined
let api: TestApi | undefined
let repository: string
beforeAll(async () => {
  repository = join(scratch.path, 'repository')
  makeRepository(repository, { 'check.sh': check, 'list.txt': 'zero\n' })
  const count = `echo run >> "${scratch.path}/$1.runs"; while [ -e "${scratch.path}/$1.hold" ]; do sleep 0.05; done\n`
  writeFileSync(join(scratch.path, 'count.sh'), count)
  const workflows = join(scratch.path, 'workflows')
  mkdirSync(workflows)
  writeFileSync(join(workflows, 'bring-in.yaml'), bringIn)
  use = await openTestDatabase('pglite')
  api = await startApi(use.db, { work: true, yaml: `agents: 4\nworkflows: ${workflows}\n` })
})
afterAll(async () => {
  await api?.close()
  await use?.close()
  await scratch.remove()
})

async function run(text: string) {
  const source = { text, fileName: 'flow.yaml' }
  const { id } = await api!.owner.call(startRun, { body: { source, repo: repository, inputs: {}, labels: {} } })
  const detail = () => api!.owner.call(showRun, { params: { id } })
  await expect.poll(async () => (await detail()).run.endedAt, { timeout: 200_000, interval: 100 }).not.toBeNull()
  const ended = await detail()
  expect(ended.run.state, JSON.stringify(ended.tasks.flatMap(({ error }) => error ?? []))).toBe('succeeded')
  return ended.run.outputs as { states: string[]; four: string }
}

test('order, wait, what was put on what, checks and results are told of a run and of each merge; a refusal is handed back with its evidence', async () => {
  const { states, four } = await run(workflow)
  expect(states).toEqual(['merged', 'merged', 'conflict', 'refused', 'merged'])
  expect(rawGit(repository, 'show', 'main:kind-four')).toBe('green')
  // What was refused is no commit of the branch.
  expect(rawGit(repository, 'log', '--format=%H', 'main').split('\n')).not.toContain(four)

  const { items: merges } = await api!.owner.call(listMerges, { query: {} })
  const parent = (await api!.owner.call(showRun, { params: { id: merges[0]!.runId } })).run
  expect(parent.workflow).toBe('bring-in')
  const outer = (await use!.owner<{ id: string }>(`select id from runs where workflow = 'several'`))[0]!.id
  const { items, more } = await api!.owner.call(explainMerges, { params: { id: outer } })
  expect(more).toBe(false)
  expect(items.map(({ merge }) => merge.step).slice(0, 1)).toEqual(['m1'])
  expect(items.map(({ merge }) => merge.seq)).toEqual(items.map(({ merge }) => merge.seq).toSorted((a, b) => a - b))
  const of = (step: string) => items.find(({ merge }) => merge.step === step)!
  expect(of('m1').story.join('\n')).toMatch(
    /Nothing was before it[\s\S]*main has not moved since the work began[\s\S]*tests passed[\s\S]*merged: main is at/,
  )
  expect(of('m2').story.join('\n')).toMatch(
    /is put on top of (?:main at )?\w{12}, where m[134] of run_\w+ left it[\s\S]*1 commit rebased/,
  )
  expect(of('m3')).toMatchObject({ merge: { state: 'conflict', files: ['list.txt'] } })
  expect(of('m3').story.join('\n')).toContain('not merged: 1 files are in conflict: list.txt')
  expect(of('m4').story.join('\n')).toMatch(/not merged: tests did not pass .*main stays at/)
  // Three became due at once: the later ones waited for those that came first.
  const crowd = ['m2', 'm3', 'm4'].map(of).toSorted((a, b) => a.merge.seq - b.merge.seq)
  expect(crowd.map(({ waitedFor }) => waitedFor.length)).toEqual([0, 1, 2])
  expect(crowd[2]!.story.join('\n')).toMatch(/2 came before it in the queue of main, and go first: m\d of run_/)

  const one = await api!.owner.call(explainMerges, { params: { id: of('again').merge.id } })
  expect(one.items).toHaveLength(1)
  expect(one.items[0]!.history.map(({ state }) => state)).toEqual(['rebasing', 'testing', 'landing', 'merged'])
  expect(one.items[0]!.story.join('\n')).toContain('2 commits made one')
  await expect(api!.owner.call(explainMerges, { params: { id: 'run_nothere' } })).rejects.toMatchObject({
    code: 'merge-not-found',
  })
})

test('checks of confidence learn from what became of merges: five that went well ask nobody, one that was broken asks again', async () => {
  expect((await run(sure('doubted', '0.5', 1))).states).toEqual(['refused'])
  await use!.owner('delete from work_samples')
  expect((await run(sure('trusted', '0.9', 5))).states).toEqual(Array(5).fill('merged'))
  const samples = () => use!.owner<{ success: boolean | null }>('select success from work_samples order by id')
  await expect
    .poll(async () => (await samples()).map(({ success }) => success), { timeout: 15_000 })
    .toEqual(Array(5).fill(true))
  // Too little on its own, and let in: such work has gone well.
  expect((await run(sure('learned', '0.5', 1))).states).toEqual(['merged'])
  await expect.poll(async () => (await samples()).length).toBe(6)
  expect((await run(sure('broken', '0.9', 1, true))).states).toEqual(['refused'])
  const failed = () =>
    use!.owner<{ count: number }>('select count(*)::int as count from work_samples where not success')
  expect((await failed())[0]!.count).toBe(1)
  // 6 of 7 are no longer more than nine of ten.
  expect((await run(sure('doubted', '0.5', 1))).states).toEqual(['refused'])
  expect(api!.errors).toEqual([])
})

/** Works side by side, and merges that become due at once; each run of the checks is a line, and may be held up. */
const crowd = (name: string, bad: number, batch = 'batch: 8') => `name: ${name}
steps:
  work:
    map:
      over: [0, 1, 2, 3, 4]
      as: n
      step: { workspace: worktree, env: { N: '\${{ n }}' }, script: "echo $N > ${name}-$N; if [ $N = ${bad} ]; then echo red > kind-p; echo red > kind-q; fi" }
  deliver:
    needs: work
    map:
      over: \${{ steps.work.outputs.commit }}
      as: commit
      step:
        merge:
          commit: \${{ commit }}
          checks: [{ name: counted, command: [sh, ${scratch.path}/count.sh, ${name}] }, { name: tests, command: [sh, check.sh] }]
          onConflict: hand-back
          ${batch}
outputs: { states: '\${{ steps.deliver.outputs.state }}', conflicts: '\${{ steps.deliver.outputs.conflict }}' }
`
const runsOf = (name: string) =>
  readFileSync(join(scratch.path, `${name}.runs`), 'utf8')
    .trimEnd()
    .split('\n').length

test('those that become due at once are tested one by one where nobody asked for more, and it is told', async () => {
  const { states } = await run(crowd('strict', -1, ''))
  expect(states).toEqual(Array(5).fill('merged'))
  expect(runsOf('strict')).toBe(5)
  const { items } = await api!.owner.call(listMerges, { query: { limit: 1 } })
  const { items: told } = await api!.owner.call(explainMerges, { params: { id: items[0]!.runId } })
  expect(told.map(({ story }) => /and is checked by itself\./.test(story.join('\n')))).toEqual(Array(5).fill(true))
})

test('those that ask for it are tested together; one that is bad is found and comes back alone, and all of it is told', async () => {
  const good = await run(crowd('good', -1))
  expect(good.states).toEqual(Array(5).fill('merged'))
  expect(runsOf('good')).toBe(1)

  const { states, conflicts } = (await run(crowd('mixed', 3))) as unknown as { states: string[]; conflicts: string[] }
  expect(states).toEqual(['merged', 'merged', 'merged', 'refused', 'merged'])
  expect(conflicts[3]).toContain('two of a kind')
  // All five; the first two; then those that were left, halved: the third, the bad one, and the last.
  expect(runsOf('mixed')).toBe(5)
  for (const n of [0, 1, 2, 4]) expect(rawGit(repository, 'show', `main:mixed-${n}`)).toBe(String(n))
  const { items } = await api!.owner.call(listMerges, { query: { limit: 5 } })
  const { items: told } = await api!.owner.call(explainMerges, { params: { id: items[0]!.runId } })
  expect(told.map(({ merge }) => merge.item)).toEqual([0, 1, 2, 3, 4])
  const story = (n: number) => told[n]!.story.join('\n')
  expect(story(0)).toMatch(
    /checked together with deliver\[1\] of run_\w+, .*: number 1 of 5, .*this one is not checked by itself[\s\S]*number 1 of 2[\s\S]*main moves in one step from what it is to the result of all 2/,
  )
  expect(story(1)).toMatch(/deliver\[0\] of run_\w+, whose turn it is, takes it along/)
  expect(story(3)).toMatch(
    /back to the queue: tested together with deliver\[0\].*these checks do not pass: tests[\s\S]*not merged: .*tests did not pass/,
  )
  // What was found for all of them stands with each.
  const { tasks } = await api!.owner.call(showRun, { params: { id: items[0]!.runId } })
  const second = tasks.find(({ step, item }) => step === 'deliver' && item === 1)!
  expect(second.output).toMatchObject({
    checks: [
      { name: 'counted', passed: true },
      { name: 'tests', passed: true },
    ],
  })
  const kept = await use!.owner<{ name: string }>(
    `select name from artifacts where task_id = '${second.id}' order by name`,
  )
  expect(kept.map(({ name }) => name)).toContain('gate/deliver-1/tests.txt')
})

test('who is cancelled while several are tested together stays out; the others get in', async () => {
  writeFileSync(join(scratch.path, 'held.hold'), '')
  const source = { text: crowd('held', -1), fileName: 'flow.yaml' }
  const { id } = await api!.owner.call(startRun, { body: { source, repo: repository, inputs: {}, labels: {} } })
  await expect.poll(() => existsSync(join(scratch.path, 'held.runs')), { timeout: 60_000 }).toBe(true)
  const { items: underWay } = await api!.owner.call(listMerges, { query: { run: id } })
  expect(underWay.map(({ state }) => state)).toEqual(Array(5).fill('testing'))
  await api!.owner.call(cancelTaskOfRun, { params: { id, task: 'deliver[2]' }, body: {} })
  rmSync(join(scratch.path, 'held.hold'))
  const detail = () => api!.owner.call(showRun, { params: { id } })
  await expect.poll(async () => (await detail()).run.endedAt, { timeout: 200_000, interval: 100 }).not.toBeNull()
  const merged = await api!.owner.call(listMerges, { query: { run: id } })
  expect(merged.items.map(({ item, state }) => [item, state]).toSorted()).toEqual(
    [0, 1, 2, 3, 4].map((n) => [n, n === 2 ? 'cancelled' : 'merged']),
  )
  const files = rawGit(repository, 'ls-tree', '--name-only', 'main').split('\n')
  expect(files.filter((name) => name.startsWith('held-'))).toEqual(['held-0', 'held-1', 'held-3', 'held-4'])
})
