import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test, vi } from 'vitest'
import { checkEnd } from './check-end.ts'
import { CrashPlace, failuresIn, isRunning, runIn } from './crash-place.ts'
import { fleetWorkflow } from './fleet.ts'

vi.setConfig({ testTimeout: 1_800_000, hookTimeout: 180_000 })

/** All of them with LEANVIBE_LONG=1; otherwise as many as a quick look allows. */
const long = process.env.LEANVIBE_LONG === '1'
const kills = long ? 50 : 6
/** Beside other tests processes get their turn late; alone it is two seconds that are promised. */
const cleanWithinMs = long ? 2_000 : 10_000
const tasks = kills * 8

const place = new CrashPlace('random')
writeFileSync(join(place.folder, 'fleet.yaml'), fleetWorkflow(place.folder, tasks))
afterAll(() => place.remove())

test(`${kills} kills at random moments: every task ends once, and nothing is left running`, async () => {
  const runnerOnly: number[] = []
  const both: number[] = []
  let found = 0
  let run: string | null = null
  for (let n = 0; n < kills; n++) {
    const args = run === null ? ['fleet.yaml', '--repo', place.repo] : ['--resume', run]
    const cli = place.cli(['orchestrate', ...args, '--agents', '4'])
    // Now and then while it starts, and all over the time in which it works.
    const early = run !== null && n % 5 === 4
    if (!early) await cli.spoke
    await sleep(200 + Math.random() * (early ? 1_000 : 2_800))
    const withSupervisor = n % 3 === 2
    if (withSupervisor) await expect.poll(() => place.processes().length, { timeout: 60_000, interval: 20 }).not.toBe(0)
    const supervisors = withSupervisor ? place.supervisors() : []
    const victims = place.processes()
    const killedAt = performance.now()
    for (const { pid } of supervisors) process.kill(pid, 'SIGKILL')
    cli.child.kill('SIGKILL')
    const end = await cli.ended
    // A fast machine may have done everything before the moment came.
    if (end.code === 0 && n >= kills / 2) break
    expect(end.signal, failuresIn(end)).toBe('SIGKILL')
    run ??= runIn(end.stdout)
    if (supervisors.length === 0) {
      runnerOnly.push(await place.untilQuiet(killedAt))
      continue
    }
    // Nobody is left to end them but the next start, which does it before it takes work.
    found += victims.filter(isRunning).length
    const next = place.cli(['orchestrate', '--resume', run, '--agents', '4'])
    const from = performance.now()
    await next.spoke
    both.push(performance.now() - from)
    expect(victims.filter(isRunning)).toEqual([])
    const againAt = performance.now()
    next.child.kill('SIGKILL')
    await next.ended
    runnerOnly.push(await place.untilQuiet(againAt))
  }
  const from = performance.now()
  const cli = place.cli(['orchestrate', '--resume', run!, '--agents', '4'], { timeoutMs: 300_000 })
  await cli.spoke
  const resumeMs = performance.now() - from
  const end = await cli.ended
  expect(end.code, failuresIn(end)).toBe(0)
  const { lost } = await checkEnd(place, tasks)
  const figures = {
    kills: runnerOnly.length + both.length,
    slowestCleanMs: Math.round(Math.max(...runnerOnly)),
    withSupervisor: both.length,
    orphansFoundByNextStart: found,
    slowestNextStartMs: Math.round(Math.max(...both)),
    resumeMs: Math.round(resumeMs),
    attemptsLost: lost,
  }
  console.log('kills at random', JSON.stringify(figures))
  expect(figures.slowestCleanMs).toBeLessThan(cleanWithinMs)
  // On a slow one the orphans of few kills may have ended by themselves before anybody looks.
  if (long) expect(found).toBeGreaterThan(0)
})
