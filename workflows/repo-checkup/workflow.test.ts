import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import type { JsonObject, JsonValue } from '../../src/foundation/kernel/json.ts'
import {
  buildGraph,
  parseWorkflow,
  resolveItem,
  resolveOutputs,
  resolveStep,
} from '../../src/orchestration/workflows/index.ts'
import type {
  ExpressionContext,
  ResolvedCommand,
  ResolvedTask,
  StepView,
} from '../../src/orchestration/workflows/task-contract.ts'
import { stepTitles } from './report/results.ts'
import { codeLines, createRepository } from './repository.fixture.ts'

const packageFolder = resolve(import.meta.dirname, '../..')
const { definition, warnings } = parseWorkflow(
  readFileSync(join(packageFolder, 'workflows/repo-checkup.yaml'), 'utf8'),
  'repo-checkup.yaml',
)
const graph = buildGraph(definition.steps)

interface Outcome {
  readonly state: 'succeeded' | 'failed'
  readonly outputs: JsonObject
}

/** Runs one task as the platform does: no shell, a folder of its own, the outputs the step names. */
async function runTask(task: ResolvedTask, folder: string): Promise<Outcome> {
  const { argv, stdin, outputs } = task as ResolvedCommand
  const cwd = mkdtempSync(join(folder, 'task-'))
  const env = { PATH: process.env.PATH, LEANVIBE_NODE: process.execPath, LEANVIBE_PACKAGE: packageFolder }
  const child = spawn(argv[0]!, argv.slice(1), { cwd, env })
  child.stdin.on('error', () => {}) // a program that does not read may be gone before
  child.stdin.end(stdin ?? '')
  const closed = new Promise<number | null>((done) => child.once('close', done))
  const [stdout] = await Promise.all([text(child.stdout), text(child.stderr)])
  if ((await closed) !== 0) return { state: 'failed', outputs: {} }
  const value = (source: (typeof outputs)[string]): JsonValue => {
    if (source.from === 'file') return readFileSync(join(cwd, source.path), 'utf8')
    const json = JSON.parse(stdout) as JsonObject
    return source.from === 'json' && source.select !== undefined ? json[source.select]! : json
  }
  return {
    state: 'succeeded',
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, source]) => [name, value(source)])),
  }
}

/** Runs the whole workflow level by level. `broken` names steps that are made to fail. */
async function runWorkflow(repo: { readonly path: string; readonly commit: string }, broken: readonly string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'checkup-run-'))
  let steps: Readonly<Record<string, StepView>> = {}
  const contextNow = (): ExpressionContext => ({
    inputs: { seconds: 60 },
    steps,
    run: {
      id: 'run_1',
      name: 'repo-checkup',
      workflow: 'repo-checkup',
      attempt: 1,
      state: 'running',
      startedAt: '2026-01-01T00:00:00Z',
    },
    repo: { ...repo, branch: 'main' },
  })
  const runOne = async (id: string): Promise<StepView> => {
    if (broken.includes(id)) return { state: 'failed', outputs: {}, error: { code: 'exit-code', message: 'broken' } }
    const context = contextNow()
    const task = resolveStep(definition, id, context)
    if (task.kind !== 'map') return runTask(task, folder)
    const items = await Promise.all(
      task.items.map((value, index) =>
        runTask(resolveItem(definition, id, { ...context, item: { name: task.as, value, index } }), folder),
      ),
    )
    return { state: 'succeeded', outputs: { result: items.map((item) => item.outputs.result ?? null) } }
  }
  try {
    for (const level of graph.levels) {
      const views = await Promise.all(level.map(runOne))
      steps = { ...steps, ...Object.fromEntries(level.map((id, at) => [id, views[at]!])) }
    }
    return {
      steps,
      outputs: resolveOutputs(definition, contextNow()) as { summary: string[]; report: string; data: string },
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('the workflow repo-checkup', { timeout: 120_000 }, () => {
  test('is a graph of at least eight steps that fans out and in', () => {
    expect(warnings).toEqual([])
    expect(graph.roots).toEqual(['survey'])
    expect(graph.levels.map((level) => level.length)).toEqual([1, 11, 1])
    expect(definition.steps.folders!.kind).toBe('map')
    const needed = definition.steps.report!.needs
    expect(new Set(needed)).toEqual(new Set([...Object.keys(stepTitles), 'folders']))
  })

  test('writes a report about a repository', async () => {
    using repo = createRepository()
    const commit = repo.commit({ 'src/a.ts': codeLines(40), 'docs/b.md': '# b\n', 'od"d \n/c.ts': 'x\n' })
    const { steps, outputs } = await runWorkflow({ path: repo.path, commit })
    expect(Object.values(steps).map((step) => step.state)).toEqual(graph.ids.map(() => 'succeeded'))
    expect(outputs.summary[0]).toContain(`subject at ${commit.slice(0, 12)}`)
    expect(outputs.report).toContain('# Checkup of subject')
    expect(outputs.report).not.toContain('did not deliver')
    expect(JSON.parse(outputs.data)).toMatchObject({ schema: 1, commit })
  })

  test('goes on when steps fail, and says so', async () => {
    using repo = createRepository()
    const commit = repo.commit({ 'src/a.ts': codeLines(40) })
    const { outputs } = await runWorkflow({ path: repo.path, commit }, ['churn', 'folders', 'secrets-history'])
    expect(outputs.report).toContain('The step "Hot spots" did not deliver a result')
    expect(outputs.report).toContain('The step "Secrets in the history" did not deliver a result')
    expect(outputs.report).toContain('1 folder of 1 did not deliver a result')
  })

  test('ends well on a repository without commits', async () => {
    using repo = createRepository()
    const { outputs } = await runWorkflow({ path: repo.path, commit: '' })
    expect(outputs.report).toContain('no commits yet')
  })
})
