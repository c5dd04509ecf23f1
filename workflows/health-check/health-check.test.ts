import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { scratchFolder } from '../../test/support/run-cli.ts'
import { runWork } from '../kit/work-program.ts'
import { createRepository } from '../repo-checkup/repository.fixture.ts'
import { describeChecks } from './checks.ts'
import { documents, fleet, findingsOf as fleetFindings } from './fleet.ts'
import { repository } from './repository.ts'

const scratch = scratchFolder('health')
afterAll(() => scratch.remove())

const look = (path: string, commit = '') => runWork(repository, ['--repo', path, '--commit', commit])
const ids = (found: { findings: readonly { id: string }[] }) => found.findings.map(({ id }) => id).sort()

test('a repository that is well, one with loose ends, and one whose objects are gone', async () => {
  using repo = createRepository()
  const files = { 'README.md': 'x', LICENSE: 'x', '.gitignore': 'x', '.github/workflows/a.yml': 'x' }
  const commit = repo.commit(files, { daysAgo: -300 })
  expect(ids(await look(repo.path, commit))).toEqual([])

  for (let at = 0; at < 7; at++)
    repo.git([
      'branch',
      `old "${at}`.replaceAll(/[ "]/g, '-'),
      repo.git(['commit-tree', '-m', 'x', `${commit}^{tree}`], { daysAgo: 900 }),
    ])
  repo.git(['worktree', 'add', '-q', join(repo.path, '..', 'gone'), '-b', 'gone'])
  rmSync(join(repo.path, '..', 'gone'), { recursive: true })
  writeFileSync(join(repo.path, 'odd "name\t.txt'), 'x')
  const loose = await look(repo.path, commit)
  expect(ids(loose)).toEqual(['repository/branches', 'repository/changed', 'repository/worktrees'])
  expect(loose.facts).toMatchObject({ changed: 1, intact: true, shallow: false })

  const blob = repo.git(['rev-parse', 'HEAD:README.md'])
  rmSync(join(repo.path, '.git', 'objects', blob.slice(0, 2), blob.slice(2)))
  expect(ids(await look(repo.path, commit))).toContain('repository/objects')
})

test('an empty repository, and a shallow one', async () => {
  using empty = createRepository()
  expect(ids(await look(empty.path))).toEqual(['repository/empty'])
  using repo = createRepository('full')
  repo.commit({ a: '1' })
  repo.commit({ a: '2' })
  using clone = createRepository('clone')
  clone.git(['fetch', '-q', '--depth=1', `file://${repo.path}`, 'main'])
  clone.git(['reset', '-q', '--hard', 'FETCH_HEAD'])
  const found = await look(clone.path, clone.git(['rev-parse', 'HEAD']))
  expect(found.facts).toMatchObject({ shallow: true, intact: true })
  expect(found.limits).toEqual(['The clone is shallow: its history ends early.'])
})

test('what checks and doctor say becomes findings by how grave it is', () => {
  const { findings = [], limits = [] } = describeChecks([
    { name: 'tests', passed: false, summary: 'npm run test: exit code 1', excerpt: 'a\nb' },
    { name: 'lint', passed: true },
  ])
  expect(findings).toMatchObject([{ id: 'checks/tests', score: 85, evidence: ['a', 'b'] }])
  expect([limits, describeChecks([]).limits]).toEqual([[], ['The checks were not run.']])
  expect(describeChecks([], 'timed-out').limits[0]).toContain('took longer than they may')
  const checks = documents(
    'noise\n{"name":"git","status":"bad","detail":"old\\nmore","next":"n"}\n{broken\n{"name":"node","status":"ok","detail":"d"}\n',
  ) as never
  const told = fleetFindings(checks, { agents: { byState: { unhealthy: 2 } }, rates: { failures5m: 0.5 } }, false)
  expect(told.map(({ id }) => id)).toEqual(['fleet/git', 'fleet/agents', 'fleet/failures', 'fleet/prompts'])
})

test('the fleet of a project is asked by the real program', async () => {
  writeFileSync(join(scratch.path, 'leanvibe.yaml'), 'agents: 1\n')
  const { facts, limits } = await runWork(fleet, ['--folder', scratch.path])
  expect(limits).toEqual([])
  expect(facts.checks.map(({ name }) => name)).toEqual(expect.arrayContaining(['node', 'git']))
  expect(facts.agents).not.toBeNull()
})
