import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runWork } from '../kit/work-program.ts'
import { createRepository, fakeToken } from '../repo-checkup/repository.fixture.ts'
import { pack } from './package.ts'
import { commandOf, perform } from './perform.ts'
import { preflight } from './preflight.ts'

test.each([['"x"'], ['{}'], ['[]'], ['[1]'], ['[""]'], ['rm -rf /']])('%s is no command', (text) => {
  expect(() => commandOf(text, 'deploy')).toThrow(/deploy: expected a list/)
})

test('none is none', () => {
  expect([commandOf(undefined, 'x'), commandOf('', 'x'), commandOf('null', 'x')]).toEqual([null, null, null])
})

test('what fails is a fact with its last lines; a verification is tried until it passes, or the time is up', async () => {
  using repo = createRepository()
  const dir = ['--dir', repo.path]
  const failed = await runWork(perform, [
    ...dir,
    '--what',
    'deploy',
    '--command',
    '["sh","-c","echo no such host >&2; exit 3"]',
  ])
  expect(failed.headline).toBe('the deploy failed')
  expect(failed.facts).toMatchObject({ passed: false, tries: 1 })
  expect(failed.findings[0]).toMatchObject({ id: 'deploy/failed', evidence: expect.arrayContaining(['no such host']) })
  // It passes the third time.
  const slow = 'n=$(cat tries 2>/dev/null || echo 0); echo $((n + 1)) > tries; test "$n" -ge 2'
  const verified = await runWork(perform, [
    ...dir,
    '--what',
    'verify',
    '--until',
    '60',
    '--command',
    JSON.stringify(['sh', '-c', slow]),
  ])
  expect(verified.facts).toMatchObject({ passed: true, tries: 3 })
  const gaveUp = await runWork(perform, [...dir, '--what', 'verify', '--until', '0', '--command', '["false"]'])
  expect(gaveUp).toMatchObject({ facts: { passed: false, tries: 1 }, findings: [{ id: 'verify/failed' }] })
  expect(gaveUp.findings[0]!.evidence).toEqual([expect.stringMatching(/^false: failed with exit code 1/)])
  expect(verified.headline).toBe('the verification passed')
  const taken = await runWork(perform, [...dir, '--what', 'rollback', '--command', '["true"]'])
  expect(taken.findings).toMatchObject([{ id: 'rollback/done' }])
})

test('pre-flight: what stands in the way, and what is only worth knowing', async () => {
  using repo = createRepository()
  const manifest = { name: 'shop', version: '1.0.0', scripts: { test: 'true' }, dependencies: { x: '1' } }
  repo.commit({ 'package.json': JSON.stringify(manifest), 'package-lock.json': '{}' })
  repo.git(['tag', 'v1.0.0'])
  repo.git(['checkout', '-q', '-b', 'side'])
  const commit = repo.commit({ 'a.js': `const t = '${fakeToken('github')}'\n`, 'package-lock.json': null })
  const args = ['--dir', repo.path, '--repo', repo.path, '--commit', commit]
  const found = await runWork(preflight, [...args, '--branch', 'main'])
  expect(found.facts).toMatchObject({ version: '1.0.0', lastTag: 'v1.0.0', since: 1 })
  expect(found.facts.blocking).toEqual([
    'No deploy command is given',
    'The commit is not on main',
    'What changed since the last tag holds secrets',
  ])
  expect(found.findings.map(({ id }) => id)).toEqual(
    expect.arrayContaining(['preflight/lock', 'preflight/version', 'preflight/rollback', 'preflight/verify']),
  )
  const fine = await runWork(preflight, [
    ...args.slice(0, 4),
    '--commit',
    repo.git(['rev-parse', 'main']),
    '--branch',
    'main',
    '--deploy',
    '["true"]',
  ])
  expect(fine.facts.blocking).toEqual([])
  await expect(runWork(preflight, [...args, '--deploy', 'true'])).rejects.toThrow(/expected a list/)
})

test('a Go module that needs no other has no lock file, and needs none', async () => {
  using repo = createRepository()
  const found = async (files: Record<string, string>) => {
    const commit = repo.commit(files)
    const { findings } = await runWork(preflight, ['--dir', repo.path, '--repo', repo.path, '--commit', commit])
    return findings.some(({ id }) => id === 'preflight/lock')
  }
  expect(await found({ 'go.mod': 'module example.org/a\n\ngo 1.19\n' })).toBe(false)
  expect(await found({ 'go.mod': 'module example.org/a\n\nrequire example.org/b v1.0.0\n' })).toBe(true)
})

test('a package is built and kept with its digest; the source where there is none; a broken build deploys nothing', async () => {
  using repo = createRepository()
  repo.commit({
    'package.json': JSON.stringify({ name: 'shop', version: '1.0.0', scripts: { build: 'node build.js' } }),
    'build.js': "require('fs').writeFileSync('made.txt', 'x')\n",
  })
  const made = await runWork(pack, ['--dir', repo.path, '--out', 'out'])
  expect(made.facts).toMatchObject({
    commands: ['npm run build', 'npm pack --ignore-scripts --json'],
    files: [{ name: 'shop-1.0.0.tgz', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
  })
  expect(readdirSync(join(repo.path, 'out'))).toEqual(['shop-1.0.0.tgz'])
  writeFileSync(join(repo.path, 'build.js'), 'process.exit(1)')
  await expect(runWork(pack, ['--dir', repo.path, '--out', 'out2'])).rejects.toThrow(
    /npm run build failed with exit code 1/,
  )
  using plain = createRepository('plain')
  plain.commit({ 'odd "name.txt': 'x' })
  expect((await runWork(pack, ['--dir', plain.path, '--out', 'out'])).facts.commands).toEqual(['git archive HEAD'])
  expect(existsSync(join(plain.path, 'out', 'source.tar.gz'))).toBe(true)
  expect(readFileSync(join(plain.path, 'odd "name.txt'), 'utf8')).toBe('x')
})
