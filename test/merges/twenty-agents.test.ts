import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { makeRepository, rawGit } from '../../src/foundation/platform/git/git.fixture.ts'
import { documentsOf, runCli, scratchFolder } from '../support/run-cli.ts'

vi.setConfig({ testTimeout: 480_000 })
const scratch = scratchFolder('merges')
afterAll(() => scratch.remove())

const agents = 20
const shared = 5

/** The head of each shared file tells how many lines follow, and each line names a file: blind merging breaks that. */
const check = `set -eu
for file in shared-*.txt; do
  test "$(sed -n 's/^count: //p' "$file")" = "$(grep -c '^agent-' "$file" || true)"
  for name in $(grep '^agent-' "$file" || true); do test -f "$name.txt"; done
done
`

/** What an agent does: its own file, and an entry in one that it shares with others. */
const edit = (agent: string) => `set -eu
echo "work of ${agent}" > "agent-${agent}.txt"
file="shared-$((${agent} % ${shared})).txt"
grep -q "^agent-${agent}$" "$file" || echo "agent-${agent}" >> "$file"
sed -i "s/^count: .*/count: $(grep -c '^agent-' "$file")/" "$file"
`

const workflows = {
  'twenty.yaml': `name: twenty
steps:
  work:
    map:
      over: [${Array.from({ length: agents }, (_, n) => n).join(', ')}]
      as: agent
      step:
        workspace: worktree
        env: { AGENT: '\${{ agent }}' }
        script: |
${edit('$AGENT').replaceAll(/^/gm, '          ')}
  deliver:
    needs: work
    map:
      over: \${{ steps.work.outputs.commit }}
      as: commit
      step:
        workflow: { name: integrate, inputs: { commit: '\${{ commit }}', agent: '\${{ index }}' } }
`,
  'integrate.yaml': `name: integrate
inputs:
  commit: { type: string }
  agent: { type: json }
steps:
  merge:
    merge:
      commit: \${{ inputs.commit }}
      checks: [{ name: tests, command: [sh, check.sh] }]
      onConflict: hand-back
  solve:
    needs: merge
    if: steps.merge.outputs.merged == false
    base: main
    env: { AGENT: '\${{ inputs.agent }}', CONFLICT: '\${{ steps.merge.outputs.conflict }}' }
    script: |
      case "$CONFLICT" in *"<<<<<<<"*) ;; *) echo "no conflict was handed over" >&2; exit 1 ;; esac
${edit('$AGENT').replaceAll(/^/gm, '      ')}
  again:
    needs: solve
    if: steps.merge.outputs.merged == false
    workflow: { name: integrate, inputs: { commit: '\${{ steps.solve.outputs.commit }}', agent: '\${{ inputs.agent }}' } }
`,
}

function project(name: string) {
  const cwd = join(scratch.path, name)
  const repository = join(cwd, 'repository')
  const files = Object.fromEntries(Array.from({ length: shared }, (_, n) => [`shared-${n}.txt`, 'count: 0\n']))
  makeRepository(repository, { ...files, 'check.sh': check })
  mkdirSync(join(cwd, 'workflows'))
  writeFileSync(join(cwd, 'leanvibe.yaml'), 'agents: 8\n')
  for (const [file, text] of Object.entries(workflows)) writeFileSync(join(cwd, 'workflows', file), text)
  return { cwd, repository }
}

/** Each state that the branch has had passes the tests; they are run on a copy of it. */
function checkEveryCommit(repository: string): number {
  const commits = rawGit(repository, 'rev-list', '--reverse', 'main').split('\n')
  const tree = join(repository, '..', 'look')
  for (const commit of commits) {
    mkdirSync(tree)
    execFileSync('sh', [
      '-c',
      `git -C "$1" archive "$2" | tar -x -C "$3" && cd "$3" && sh check.sh`,
      'sh',
      repository,
      commit,
      tree,
    ])
    rmSync(tree, { recursive: true })
  }
  return commits.length
}

test('20 agents on one repository with overlapping edits: every state of main passes, nothing is lost, the order is told', async () => {
  const { cwd, repository } = project('twenty')
  const from = performance.now()
  const run = await runCli(['orchestrate', 'twenty', '--repo', repository, '--json'], {
    cwd,
    timeoutMs: 450_000,
    long: true,
  })
  expect(run.code, run.stderr + run.stdout.slice(-3_000)).toBe(0)
  const seconds = (performance.now() - from) / 1_000
  for (let agent = 0; agent < agents; agent++) {
    expect(readFileSync(join(repository, `agent-${agent}.txt`), 'utf8')).toBe(`work of ${agent}\n`)
    expect(readFileSync(join(repository, `shared-${agent % shared}.txt`), 'utf8').split('\n')).toContain(
      `agent-${agent}`,
    )
  }
  expect(rawGit(repository, 'status', '--porcelain')).toBe('')
  expect(checkEveryCommit(repository)).toBe(agents + 1)
  // The branch moved once for each of them.
  expect(rawGit(repository, 'reflog', 'show', '--format=%H', 'main').split('\n')).toHaveLength(agents + 1)

  const listed = documentsOf((await runCli(['merges', 'list', '--json'], { cwd })).stdout) as {
    seq: number
    state: string
    target: string
    candidate: string
    endedAt: string
    explanation: string
  }[]
  const merged = listed.filter(({ state }) => state === 'merged').sort((a, b) => a.seq - b.seq)
  expect(merged).toHaveLength(agents)
  // In the order in which they came, each on top of the one before.
  expect(merged.slice(1).map(({ target }) => target)).toEqual(merged.slice(0, -1).map(({ candidate }) => candidate))
  expect(listed.every(({ explanation }) => explanation !== '')).toBe(true)
  const [top] = documentsOf(run.stdout)
    .flatMap(({ run: ended }) => (ended as { id: string } | undefined)?.id ?? [])
    .slice(-1)
  const explained = documentsOf((await runCli(['merges', 'explain', top!, '--json'], { cwd })).stdout) as {
    merge: { state: string; seq: number }
    waitedFor: object[]
    story: string[]
  }[]
  expect(explained.map(({ merge }) => merge.seq)).toEqual(listed.map(({ seq }) => seq).sort((a, b) => a - b))
  // Whatever the queue did is told: who was before whom, on whose work each was put, which checks ran.
  for (const { merge, story } of explained) {
    const told = story.join('\n')
    expect(told).not.toContain('together')
    expect(told).toMatch(/before it in the queue of main/)
    expect(told).toMatch(
      merge.state === 'merged' ? /tests passed[\s\S]*merged: main is at/ : /files are in conflict: shared-/,
    )
  }
  console.log(
    'merges',
    JSON.stringify({ seconds: Math.round(seconds), merges: merged.length, conflicts: listed.length - agents }),
  )
})

test('a kill -9 at each step of a merge leaves no broken branch and merges nothing twice; the next start goes on', async () => {
  const { cwd, repository } = project('killed')
  const script = JSON.stringify(edit('$AGENT'))
  const checks = 'checks: [{ name: tests, command: [sh, check.sh] }]'
  const several = (items: readonly number[], needs: string) => {
    const over = `'\${{ [${items.map((n) => `steps.others.outputs.commit[${n}]`).join(', ')}] }}'`
    return `{ needs: ${needs}, map: { over: ${over}, as: commit, step: { merge: { commit: '\${{ commit }}', ${checks} } } } }`
  }
  writeFileSync(join(cwd, 'leanvibe.yaml'), 'agents: 8\nmerges: { batch: 8 }\n')
  writeFileSync(
    join(cwd, 'five.yaml'),
    `name: five
steps:
  one: { workspace: worktree, env: { AGENT: '3' }, script: ${script} }
  others:
    map: { over: [4, 5, 6, 7], as: agent, step: { workspace: worktree, env: { AGENT: '\${{ agent }}' }, script: ${script} } }
  first: { needs: [one, others], merge: { commit: '\${{ steps.one.outputs.commit }}', ${checks} } }
  some: ${several([0, 1], 'first')}
  rest: ${several([2, 3], 'some')}
`,
  )
  const killAt = async (args: readonly string[], point: string) => {
    const killed = await runCli([...args], { cwd, env: { LEANVIBE_FAILPOINTS: `${point}=kill` } })
    expect(killed.code, `${point} was not passed: ${killed.stderr}`).toBeNull()
    checkEveryCommit(repository)
  }
  await killAt(['orchestrate', 'five.yaml', '--repo', repository], 'merge.gate.before')
  const [known] = documentsOf((await runCli(['runs', 'list', '--json'], { cwd })).stdout) as { id: string }[]
  const resume = ['orchestrate', '--resume', known!.id]
  for (const point of ['rebase.after', 'land.before', 'land.after']) await killAt(resume, `merge.${point}`)
  // Those after it are put on top of it, and tested together.
  for (const point of ['rebase.before', 'batch.after', 'gate.after', 'land.after'])
    await killAt(resume, `merge.${point}`)
  for (const point of ['batch.before', 'land.before', 'told.after']) await killAt(resume, `merge.${point}`)
  const end = await runCli(resume, { cwd })
  expect(end.code, end.stderr + end.stdout.slice(-2_000)).toBe(0)
  expect(checkEveryCommit(repository)).toBe(6)
  expect(rawGit(repository, 'status', '--porcelain')).toBe('')
  for (const agent of [3, 4, 5, 6, 7])
    expect(readFileSync(join(repository, `agent-${agent}.txt`), 'utf8')).toBe(`work of ${agent}\n`)
  const explained = await runCli(['merges', 'explain', known!.id], { cwd })
  expect(explained.stdout.match(/merged: main is at/g)).toHaveLength(5)
  expect(explained.stdout).toMatch(/did not come to its end/)
  expect(explained.stdout).toMatch(/checked together with (?:some|rest)/)
  expect(explained.stdout).toContain('back to the queue: its runner was lost; it begins again')
})
