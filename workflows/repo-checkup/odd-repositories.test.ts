import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bulk } from './bulk.ts'
import { churn } from './churn.ts'
import { dependencies } from './dependencies.ts'
import { duplicates } from './duplicates.ts'
import { folder } from './folder.ts'
import { inventory } from './inventory.ts'
import { ownership } from './ownership.ts'
import { maxResultBytes, type Step } from './program.ts'
import { readResults } from './report/results.ts'
import { composeReport, type ReportResult } from './report.ts'
import { checkStep, codeLines, createRepository } from './repository.fixture.ts'
import type { StepResult } from './result.ts'
import { runProgramFile } from './run-programs.fixture.ts'
import { secrets } from './secrets.ts'
import { secretsHistory } from './secrets-history.ts'
import { survey } from './survey.ts'
import { tests } from './tests.ts'
import { todos } from './todos.ts'

const steps: readonly Step<unknown>[] = [
  survey,
  inventory,
  churn,
  ownership,
  dependencies,
  secrets,
  secretsHistory,
  bulk,
  duplicates,
  todos,
  tests,
]

/** All steps and the report over one repository; each result must be sound. */
async function checkup(path: string) {
  const results: StepResult[] = await Promise.all(steps.map((step) => checkStep(step, path)))
  const { facts, commit } = results[0] as StepResult<{ items: string[] }>
  results.push(...(await Promise.all((facts?.items ?? []).map((item) => checkStep(folder, path, `--item=${item}`)))))
  for (const result of results) {
    expect(Buffer.byteLength(JSON.stringify(result))).toBeLessThan(maxResultBytes)
    expect(result.commit).toBe(commit)
  }
  const byName = new Map(results.map((result) => [result.step, result]))
  return {
    ...composeReport(readResults(JSON.stringify(results))),
    get: <Facts>(step: Step<Facts>) => byName.get(step.name) as StepResult<Facts>,
    results,
  }
}

describe('odd repositories', { timeout: 120_000 }, () => {
  test('without commits', async () => {
    using repo = createRepository()
    const { results, printed } = await checkup(repo.path)
    for (const result of results)
      expect(result).toMatchObject({
        commit: null,
        facts: null,
        findings: [],
        limits: ['The repository has no commits yet.'],
      })
    expect(printed.summary.join(' ')).toContain('no commits yet')
  })

  test('with one empty commit', async () => {
    using repo = createRepository()
    repo.commit({})
    const { get, printed } = await checkup(repo.path)
    expect(get(survey).facts).toMatchObject({ commits: 1, files: 0, items: [] })
    expect(printed.summary[0]).toContain('1 commit from')
  })

  test('with names that break tools', async () => {
    using repo = createRepository()
    const names = [
      '-rf',
      '--help',
      'new\nline/file.ts',
      'quo"te/a.ts',
      "apos'trophe.ts",
      'tab\there.ts',
      '$(touch x)/`y`.ts',
      '*/glob?.ts',
      ':(exclude)/magic.ts',
      ' space /x.ts',
      'back\\slash.ts',
      `${'deep/'.repeat(30)}x.ts`,
      `${'n'.repeat(200)}.ts`,
      '\u202eevil.ts',
      '😀/ü.ts',
      '.env',
      '<b>/|.ts',
    ]
    repo.commit(Object.fromEntries(names.map((name) => [name, codeLines(5, String(names.indexOf(name)))])))
    repo.commit(
      { '*/glob?.ts': codeLines(6), ':(exclude)/magic.ts': codeLines(7), '-rf': 'x\n' },
      { author: '<i>Eve</i> | [x](y)' },
    )
    const { get, results, markdown } = await checkup(repo.path)
    expect(get(survey).facts!.files).toBe(names.length)
    const folders = results.filter((result) => result.step === 'folder') as StepResult<{
      name: string
      files: number
      commits: number
    }>[]
    expect(folders.reduce((sum, one) => sum + one.facts!.files, 0)).toBe(names.length)
    for (const name of ['*', ':(exclude)'])
      expect(folders.find((one) => one.facts!.name === name)!.facts).toMatchObject({ files: 1, commits: 2 })
    expect(folders.find((one) => one.facts!.name === 'new\\nline')!.facts).toMatchObject({ files: 1, commits: 1 })
    expect(markdown).not.toContain('<b>/|')
    expect(markdown).not.toContain('\u202e')
  })

  test('with names that are no UTF-8', async () => {
    using repo = createRepository()
    const raw = (bytes: number[], text: string) =>
      Buffer.concat([
        Buffer.from('M 100644 inline '),
        Buffer.from(bytes),
        Buffer.from(`/a.ts\ndata ${text.length}\n${text}\n`),
      ])
    const commit = (name: string) =>
      Buffer.from(
        `commit refs/heads/main\ncommitter ${name} <a@example.com> 1767225600 +0000\nencoding ISO-8859-1\ndata 1\nx\n`,
      )
    repo.git(['fast-import', '--quiet'], {
      input: Buffer.concat([
        commit('A'),
        raw([0xff, 0xfe], 'a = 1\n'),
        raw([0xe9], 'b = 2\n'),
        commit('B\xe9'),
        raw([0xe9], 'b = 3\n'),
      ]),
    })
    const { results, get } = await checkup(repo.path)
    expect(get(survey).facts!.items).toEqual(['%E9', '%FF%FE'])
    const folders = results.filter((result) => result.step === 'folder') as StepResult<{
      commits: number
      files: number
    }>[]
    expect(folders.map((one) => [one.facts!.files, one.facts!.commits])).toEqual([
      [1, 2],
      [1, 1],
    ])
  })

  test('with symbolic links, submodules, binary and huge files', async () => {
    using repo = createRepository()
    repo.link('leads-out', '/etc/passwd')
    repo.link('dangling', 'nowhere')
    repo.commit({
      'real.ts': codeLines(5),
      'picture.png': Buffer.from([0x89, 0x50, 0, 0, 1]),
      'utf16.txt': Buffer.from('hello', 'utf16le'),
      'huge.log': Buffer.alloc(30_000_000, 'x'),
    })
    repo.git(['update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},lib/sub`])
    repo.git(['commit', '-q', '-m', 'sub'])
    const { get } = await checkup(repo.path)
    expect(get(survey).facts).toMatchObject({ symlinks: 2, submodules: ['lib/sub'], files: 4 })
    expect(get(inventory).facts).toMatchObject({
      roles: { binary: { files: 2 }, oversized: { files: 1, bytes: 30_000_000 } },
    })
    expect(get(bulk).facts!.largestPresent[0]).toEqual({ path: 'huge.log', bytes: 30_000_000 })
    expect(get(bulk).findings.map((one) => one.id)).toContain('bulk/present')
    expect(get(secrets).limits.join()).toContain('1 file above 2 MB')
  })

  test('shallow, bare, a worktree, detached, a subfolder', async () => {
    using repo = createRepository()
    for (let at = 0; at < 12; at += 1)
      repo.commit(
        { [`src/f${at}.ts`]: codeLines(20, `f${at}`), [`src/g${at}.ts`]: codeLines(20, `g${at}`) },
        { daysAgo: 12 - at },
      )
    repo.git(['clone', '-q', '--depth', '1', `file://${repo.path}`, '../shallow'])
    const shallow = await checkup(join(repo.path, '../shallow'))
    expect(shallow.markdown).toContain('The history is shallow: 1 commit seen.')
    expect(shallow.get(ownership).facts).toMatchObject({ busFactor: null })
    expect(shallow.get(ownership).findings).toEqual([])

    repo.git(['clone', '-q', '--bare', '.', '../bare.git'])
    repo.git(['worktree', 'add', '-q', '--detach', '../tree', 'HEAD'])
    const whole = [await checkStep(churn, repo.path), await checkStep(ownership, repo.path)]
    for (const path of ['../bare.git', '../tree', 'src']) {
      const other = join(repo.path, path)
      expect((await checkStep(churn, other)).facts).toEqual(whole[0]!.facts)
      expect((await checkStep(ownership, other)).facts).toEqual(whole[1]!.facts)
    }
    expect((await checkStep(survey, join(repo.path, 'src'))).limits.join()).toContain('The path given is a subfolder')
  })

  test('a partial clone, from which nothing is fetched', async () => {
    using repo = createRepository()
    for (let at = 0; at < 5; at += 1)
      repo.commit({ 'a.ts': `// TODO: x\n${codeLines(20 + at)}`, [`gone${at}.ts`]: 'x\n' }, { daysAgo: 900 - at })
    repo.git(['config', 'uploadpack.allowFilter', 'true'])
    repo.git(['clone', '-q', '--filter=blob:none', `file://${repo.path}`, '../partial'])
    const path = join(repo.path, '../partial')
    rmSync(join(repo.path, '.git'), { recursive: true }) // whoever asks the origin now fails
    const { get, markdown } = await checkup(path)
    expect(get(survey).facts!.repository.partial).toBe(true)
    expect(get(churn).facts!.hotSpots[0]).toMatchObject({ path: 'a.ts', commits: 5 })
    expect(get(secretsHistory).limits.join()).toContain('could not be searched for secrets')
    expect(markdown).toContain('The clone is partial')
  })

  test('a clone without the folders of old commits', async () => {
    using repo = createRepository()
    for (let at = 0; at < 3; at += 1) repo.commit({ 'src/a.ts': codeLines(20 + at) }, { daysAgo: 3 - at })
    repo.git(['config', 'uploadpack.allowFilter', 'true'])
    repo.git(['clone', '-q', '--filter=tree:0', `file://${repo.path}`, '../treeless'])
    rmSync(join(repo.path, '.git'), { recursive: true })
    const path = join(repo.path, '../treeless')
    expect((await checkStep(survey, path)).facts).toMatchObject({ commits: 3, files: 1, repository: { partial: true } })
    expect((await checkStep(ownership, path)).facts).toMatchObject({ commitsRead: 3, people: 1 })
    expect((await checkStep(churn, path)).facts).toMatchObject({ window: { commits: 3 } })
  })

  test('with times from nowhere', async () => {
    using repo = createRepository()
    const commit = (at: number, text: string) =>
      `commit refs/heads/main\ncommitter A <a@example.com> ${at} +0000\ndata 1\nx\nM 100644 inline a.ts\ndata ${text.length}\n${text}\n`
    repo.git(['fast-import', '--quiet', '--date-format=raw'], {
      input: commit(4_000_000_000, 'a = 1\n') + commit(0, 'a = 2\n') + commit(1_700_000_000, 'a = 3 // TODO: x\n'),
    })
    const { get } = await checkup(repo.path)
    expect(get(survey).facts).toMatchObject({ commits: 3, firstCommitAt: 0 })
    expect(get(churn).facts!.hotSpots[0]).toMatchObject({ commits: 3 })
  })
})

describe('the programs', { timeout: 120_000 }, () => {
  test('print one line, write the report, and speak while they work', async () => {
    using repo = createRepository()
    repo.commit({ 'src/a.ts': codeLines(30) })
    const surveyed = await runProgramFile('survey', ['--repo', repo.path])
    expect(surveyed).toMatchObject({ code: 0 })
    expect(surveyed.stdout.trimEnd().split('\n')).toHaveLength(1)
    expect(surveyed.stderr).toMatch(/^survey: 1 files$/m)
    const out = join(repo.path, '../out')
    const reported = await runProgramFile('report', ['--out', out], {
      stdin: JSON.stringify([{ result: JSON.parse(surveyed.stdout) as unknown }]),
    })
    const printed = JSON.parse(reported.stdout) as ReportResult
    expect(printed).toMatchObject({ step: 'report', artifacts: ['report.md', 'report.json'] })
    expect(readFileSync(join(out, 'report.md'), 'utf8')).toContain('# Checkup of subject')
    expect(JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'))).toMatchObject({
      schema: 1,
      commit: printed.commit,
    })
  })

  test('fail with a reason, what to do next, and the exit code of its kind', async () => {
    const plain = mkdtempSync(join(tmpdir(), 'checkup-plain-'))
    try {
      mkdirSync(join(plain, 'sub'))
      writeFileSync(join(plain, 'sub/file'), 'x')
      const end = await runProgramFile('churn', ['--repo', join(plain, 'sub')])
      expect(end).toMatchObject({ code: 65, stdout: '' })
      expect(end.stderr).toMatch(/error: .*not.*repository[\s\S]*next: /)
    } finally {
      rmSync(plain, { recursive: true })
    }
    expect(await runProgramFile('churn', [])).toMatchObject({ code: 65, stdout: '' })
    expect(await runProgramFile('churn', ['--repo', '.', '--max-seconds', 'x'])).toMatchObject({ code: 65 })
    expect(await runProgramFile('nothing', [])).toMatchObject({ code: 65 })
    expect(await runProgramFile('report', ['--out', '/tmp/x'], { stdin: 'no json' })).toMatchObject({
      code: 65,
      stdout: '',
    })
    expect(await runProgramFile('folder', ['--help'])).toMatchObject({ code: 0, stderr: '' })
  })
})
