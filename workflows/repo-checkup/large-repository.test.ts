import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { churn } from './churn.ts'
import { ownership } from './ownership.ts'
import { checkStep, createRepository, type TestRepository } from './repository.fixture.ts'
import { runProgramFile, stepNames } from './run-programs.fixture.ts'

const commits = process.env.CHECKUP_LARGE === '1' ? 100_000 : 10_000
const files = 500
const authors = 40
let repo: TestRepository

/** Commit n, by author n mod 40, rewrites two of 500 files; one an hour, the last at the turn of 2026. */
function* history(): Generator<string> {
  const text = (file: number, version: number) =>
    `// TODO: revisit ${file}\n${Array.from({ length: 30 }, (_, line) => `let v${line} = step(${file}, ${line === version % 30 ? version : line})\n`).join('')}`
  for (let n = 0; n < commits; n += 1) {
    const at = 1_767_225_600 - (commits - 1 - n) * 3600
    const author = n % authors
    yield `commit refs/heads/main\ncommitter Author ${author} <author${author}@example.com> ${at} +0000\ndata 8\nfix: it\n\n`
    for (const file of [n % files, (n * 7 + 3) % files]) {
      const content = text(file, n)
      yield `M 100644 inline part${file % 20}/file${file}.ts\ndata ${content.length}\n${content}\n`
    }
    yield '\n'
  }
}

beforeAll(() => {
  repo = createRepository('large')
  repo.git(['fast-import', '--quiet'], { input: [...history()].join('') })
}, 300_000)
afterAll(() => repo[Symbol.dispose]())

describe(`a repository of ${commits} commits`, { timeout: 120_000 }, () => {
  test.each(stepNames)(
    '%s ends in time and in 128 MB of heap',
    async (name) => {
      const end = await runProgramFile(name, ['--repo', repo.path, '--max-seconds', '60'], { heapMegabytes: 128 })
      expect(end.stderr.split('\n').filter((line) => line.startsWith('error'))).toEqual([])
      expect(end.code).toBe(0)
      expect(end.seconds).toBeLessThan(90)
      const { limits } = JSON.parse(end.stdout) as { limits: string[] }
      expect(limits.filter((limit) => limit.includes('limit was reached'))).toEqual([])
    },
    120_000,
  )

  test('the figures are exact', async () => {
    const inYear = Math.min(commits, 365 * 24 + 1)
    const changes = (file: number, from: number) =>
      Array.from({ length: commits - from }, (_, at) => at + from).filter(
        (n) => n % files === file || (n * 7 + 3) % files === file,
      ).length
    const { facts } = await checkStep(churn, repo.path)
    expect(facts!.window.commits).toBe(inYear)
    expect(facts!.codeFiles).toBe(files)
    const [, file] = /file(\d+)\.ts$/.exec(facts!.hotSpots[0]!.path)!
    expect(facts!.hotSpots[0]!.commits).toBe(changes(Number(file), commits - inYear))
    const owned = (await checkStep(ownership, repo.path)).facts!
    expect(owned).toMatchObject({ commitsRead: commits, people: authors, activePeople: authors, codeFiles: files })
  })

  test('when it is told to stop, it stops and leaves nothing behind', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'checkup-stop-'))
    try {
      const program = join(import.meta.dirname, 'run.mjs')
      const child = spawn(process.execPath, [program, 'secrets-history', '--repo', repo.path], {
        env: { PATH: process.env.PATH, TMPDIR: folder },
      })
      const closed = once(child, 'close')
      await once(child.stderr, 'data') // it is at work
      expect(readdirSync(folder)).toHaveLength(1)
      child.kill('SIGTERM')
      expect((await closed)[0]).toBe(143)
      expect(readdirSync(folder)).toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('when the time is up a step says how far it came', async () => {
    const { code, stdout } = await runProgramFile('ownership', ['--repo', repo.path, '--max-seconds', '0.001'])
    expect(code).toBe(0)
    expect(stdout).toContain('the time limit was reached')
  })
})
