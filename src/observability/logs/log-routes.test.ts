import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { TestPlatform, tenant } from '../../../test/support/platform.ts'
import { bearerTokenOf } from '../../foundation/platform/http/bearer-token.ts'
import { createServer } from '../../foundation/platform/http/server.ts'
import type { Assignment } from '../../orchestration/runners/exchange-contract.ts'
import { type LogLine, logLineSchema } from '../../orchestration/runs/run-endpoints-contract.ts'
import { findRun, readSteps, runCreatedAt } from '../../orchestration/runs/runs-store.ts'
import { isRunEnded } from '../../orchestration/runs/states-contract.ts'
import { placeOfTask, taskRange } from '../../orchestration/runs/task-ids-contract.ts'
import { type LoggedRuns, logRoutes } from './log-routes.ts'
import { LogStore } from './log-store.ts'

const runs: LoggedRuns = {
  async look(tx, who, runId) {
    await runCreatedAt(tx, who, runId)
    const run = await findRun(tx, who, runId)
    const steps = await readSteps(tx, [{ tenant: who, runId: run!.id }])
    return {
      ended: isRunEnded(run!.state),
      steps: new Map((steps.get(`${who}/${runId}`) ?? []).map((row) => [row.position, row.step])),
    }
  },
  taskPrefixOf: (runId, position) => taskRange(runId, position).from.slice(0, -1),
  placeOf: placeOfTask,
}

const workflow = `
name: talk
steps:
  say: { command: [say] }
  each:
    needs: say
    map: { over: "\${{ [1, 2] }}", as: n, step: { command: [n, "\${{ n }}"] } }
`

eachDatabase('the logs of a run', (use) => {
  async function open() {
    const principal = { id: 'me', tenant, permissions: ['runs:read'] }
    const server = createServer({ routes: logRoutes(use().db, runs), authenticate: bearerTokenOf('t', principal) })
    const { url } = await server.listen()
    return {
      url,
      get: async (path: string): Promise<{ status: number; lines: LogLine[] }> => {
        const response = await fetch(`${url}/api/v1/runs/${path}`, { headers: { authorization: 'Bearer t' } })
        const text = await response.text()
        if (!response.ok) return { status: response.status, lines: [] }
        const lines = text.split('\n').filter((line) => line !== '')
        return { status: response.status, lines: lines.map((line) => logLineSchema.parse(JSON.parse(line))) }
      },
      [Symbol.asyncDispose]: () => server.close({ graceMs: 100 }),
    }
  }

  /** Prints as a runner would, its bytes cut in the middle of a character. */
  async function print({ runId, taskId, step, item, attempt, fence }: Assignment, text: string): Promise<void> {
    const bytes = Buffer.from(text)
    const cut = bytes.indexOf(0xe2) + 1
    const common = {
      tenant,
      runId,
      taskId,
      step,
      item,
      attempt,
      fence,
      stream: 'stdout',
      at: new Date().toISOString(),
    } as const
    const logs = new LogStore(use().db)
    await logs.append([{ ...common, seq: 0, bytes: bytes.subarray(0, cut) }])
    await logs.append([{ ...common, seq: 1, bytes: bytes.subarray(cut) }])
  }

  test('are followed until the run has ended, and can be asked for by step and task', async () => {
    await using server = await open()
    const platform = new TestPlatform(use().db)
    await platform.register()
    const run = await platform.start(workflow)
    const following = server.get(`${run.id}/logs?follow=true`)
    let { assignments } = await platform.exchange([])
    while (assignments.length > 0) {
      for (const assignment of assignments)
        await print(assignment, `${assignment.step} ${assignment.item} €\0\u001b[1m`)
      const reports = assignments.map((assignment) => platform.report(assignment, { output: {} }))
      assignments = (await platform.exchange(reports)).assignments
    }
    expect((await platform.run(run.id)).state).toBe('succeeded')
    const { lines } = await following
    const texts = (list: readonly LogLine[]) =>
      [...Map.groupBy(list, (line) => `${line.step}#${line.item}`)].map(([place, own]) => [
        place,
        own.map((line) => line.text).join(''),
      ])
    const whole = [
      ['say#null', 'say null €\0\u001b[1m'],
      ['each#0', 'each 0 €\0\u001b[1m'],
      ['each#1', 'each 1 €\0\u001b[1m'],
    ]
    expect(texts(lines)).toEqual(whole)
    expect(texts((await server.get(`${run.id}/logs`)).lines)).toEqual(whole)
    expect(texts((await server.get(`${run.id}/logs?step=each`)).lines)).toEqual(whole.slice(1))
    const { taskId } = lines.find((line) => line.item === 1)!
    expect(texts((await server.get(`${run.id}/logs?task=${taskId}`)).lines)).toEqual(whole.slice(2))
    expect((await server.get(`${run.id}/logs?step=nothing`)).lines).toEqual([])
    expect((await server.get('run_nowhere/logs?follow=true')).status).toBe(404)
  })
})
