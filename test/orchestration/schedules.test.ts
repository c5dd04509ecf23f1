import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { scheduledRunsOf } from '../../src/app/operations.ts'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import { readEndedRuns } from '../../src/orchestration/runs/ended-runs.ts'
import { createScheduleSchema } from '../../src/orchestration/schedules/schedules-contract.ts'
import { scheduleErrors } from '../../src/orchestration/schedules/schedules-errors.ts'
import { createScheduleLook, startSchedules } from '../../src/orchestration/schedules/schedules-jobs.ts'
import { type NewSchedule, SchedulesService } from '../../src/orchestration/schedules/schedules-service.ts'
import { releaseSchedules } from '../../src/orchestration/schedules/schedules-store.ts'
import { eachDatabase, type TestDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const greet =
  'name: greet\ninputs: { who: { type: string, default: world } }\nsteps:\n  a: { command: [echo, "${{ inputs.who }}"] }\n'
const definitions = { greet }
const minute = 60_000

/** A platform with schedules, whose looks are made by hand. */
function place(use: TestDatabase) {
  const platform = new TestPlatform(use, { definitions })
  const { database, parts } = platform
  const repoAt = async (path: string) => {
    if (path === '/gone') throw scheduleErrors['schedule-repo-unusable'](`${path} is no repository`)
    return { path, commit: 'c0ffee', branch: 'main' }
  }
  const service = new SchedulesService({ database, catalog: parts.catalog, repoAt, parallel: null })
  const options = {
    runs: scheduledRunsOf(parts),
    endedRuns: readEndedRuns,
    repoAt,
    dispatch: parts.dispatch,
    pollMs: 20,
    isOpen: async () => isOpen,
    onError: (error: unknown) => platform.errors.push(error),
  }
  let isOpen = true
  const lookOnce = createScheduleLook(database, options)
  return {
    platform,
    service,
    setOpen: (open: boolean) => {
      isOpen = open
    },
    startLoop: () => startSchedules(database, options),
    create: (given: Partial<NewSchedule> = {}) =>
      service.create(
        tenant,
        createScheduleSchema.parse({ name: 's', workflow: 'greet', cron: '* * * * *', ...given }) as NewSchedule,
      ),
    look: () => lookOnce(new AbortController().signal),
    slots: async () => (await service.show(tenant, 's', 1_000)).slots.toReversed(),
    runs: () =>
      use.owner<{ id: string; state: string; slot: string; who: string; repo: string | null }>(
        `select id, state, labels->>'slot' as slot, inputs->>'who' as who, repo_commit as repo from runs order by created_at, id`,
      ),
    /** To the beginning of the next minute, and a little more. */
    nextMinute: (minutes = 1) => {
      const now = database.clock.now().getTime()
      platform.advance(Math.ceil((now + 1) / minute) * minute - now + (minutes - 1) * minute + 50)
    },
  }
}

eachDatabase('schedules', (use) => {
  test('start a run a slot, with their inputs and labels, and note its end', async () => {
    const { platform, create, look, slots, runs, nextMinute, service } = place(use())
    await platform.register()
    const made = await create({ inputs: { who: 'ann' }, repo: '/code', labels: { team: 'x' } })
    expect(made).toMatchObject({ state: 'active', lastSlot: null })
    await look()
    expect(await runs()).toEqual([])
    nextMinute()
    await look()
    await look()
    const [run, ...others] = await runs()
    expect(others).toEqual([])
    expect(run).toMatchObject({ state: 'running', who: 'ann', repo: 'c0ffee', slot: made.nextAt })
    expect(await slots()).toMatchObject([{ state: 'started', runId: run!.id, slotAt: made.nextAt }])
    await platform.work(run!.id, () => ({ output: {} }))
    await look()
    expect(await slots()).toMatchObject([{ state: 'ended', runState: 'succeeded', runId: run!.id }])
    expect((await service.list(tenant))[0]).toMatchObject({ lastSlot: { runState: 'succeeded' } })
    await platform.check()
  })

  test('skip, queue, replace or allow while a run is open', async () => {
    const { platform, create, look, slots, runs, nextMinute, service } = place(use())
    await platform.register()
    const states = async () => (await slots()).map((slot) => slot.state)
    for (const [overlap, twoMinutes, afterEnd] of [
      ['skip', ['started', 'skipped'], ['ended', 'skipped']],
      ['queue', ['started', 'queued'], ['ended', 'started']],
      ['allow', ['started', 'started'], ['ended', 'started']],
    ] as const) {
      await create({ overlap })
      for (let n = 0; n < 2; n++) {
        nextMinute()
        await look()
      }
      expect(await states(), overlap).toEqual(twoMinutes)
      const [first] = (await slots()).map((slot) => slot.runId)
      const leases = (await platform.main.take()).filter((lease) => lease.runId === first)
      await platform.main.finish(leases, () => ({ output: {} }))
      await look()
      expect(await states(), overlap).toEqual(afterEnd)
      await service.remove(tenant, 's')
      await platform.main.finish(await platform.main.take(), () => ({ output: {} }))
    }
    await create({ overlap: 'replace' })
    for (let n = 0; n < 2; n++) {
      nextMinute()
      await look()
    }
    expect(await states()).toEqual(['started', 'started'])
    await platform.exchange([])
    await platform.main.finish(
      [...platform.main.held.values()].filter((lease) => lease.runId !== undefined),
      () => ({ cancelled: true }),
    )
    expect((await runs()).at(-2)).toMatchObject({ state: 'cancelled' })
    await platform.check()
  })

  test('of a suspended tenant start nothing, say so once, and catch up when it is let in again', async () => {
    const { platform, create, look, runs, slots, nextMinute, setOpen, service } = place(use())
    const before = (await runs()).length
    const events = async (type: string) =>
      (
        await use().owner<{ data: { dueAt?: string; missed?: number } }>(
          `select data from events where type = 'schedule.${type}' order by seq desc`,
        )
      ).map(({ data }) => data)
    const told = (await events('held')).length
    const { nextAt } = await create({ catchUp: 'latest' })
    setOpen(false)
    nextMinute()
    await look()
    nextMinute(3)
    await look()
    expect((await runs()).length).toBe(before)
    expect(await slots()).toEqual([])
    expect((await events('held')).length).toBe(told + 1)
    expect((await events('held'))[0]).toMatchObject({ dueAt: nextAt })
    // It is active all the same: nobody has paused it.
    expect((await service.show(tenant, 's', 1)).schedule.state).toBe('active')
    setOpen(true)
    await look()
    expect((await runs()).length).toBe(before)
    await platform.database.forTenant(tenant).write((tx) => releaseSchedules(tx, tenant, platform.database.clock.now()))
    await look()
    expect((await runs()).length).toBe(before + 1)
    expect((await slots()).map(({ state }) => state)).toEqual(['missed', 'missed', 'missed', 'started'])
    await service.remove(tenant, 's')
  })

  test('make up for every slot, one after the other, where what overlaps is skipped', async () => {
    const { platform, create, look, slots, nextMinute } = place(use())
    await platform.register()
    await create({ catchUp: 'all', overlap: 'skip' })
    nextMinute(3)
    await look()
    const states = async () => (await slots()).map((slot) => slot.state)
    expect(await states()).toEqual(['started', 'queued', 'queued'])
    // One that comes at its time is skipped, as ever.
    nextMinute()
    await look()
    expect(await states()).toEqual(['started', 'queued', 'queued', 'skipped'])
    for (let n = 0; n < 3; n++) {
      await platform.main.finish(await platform.main.take(), () => ({ output: {} }))
      await look()
    }
    expect(await states()).toEqual(['ended', 'ended', 'ended', 'skipped'])
    await platform.check()
  })

  test('make up for what passed unseen, as they say', async () => {
    for (const [catchUp, count] of [
      ['skip', 1],
      ['latest', 1],
      ['all', 4],
    ] as const) {
      const { create, look, runs, nextMinute, service } = place(use())
      const before = (await runs()).length
      await create({ catchUp, overlap: 'allow' })
      nextMinute(4)
      await look()
      expect((await runs()).length - before, catchUp).toBe(count)
      await service.remove(tenant, 's')
    }
    const { create, look, runs, slots, platform, service } = place(use())
    const before = (await runs()).length
    await create({ cron: '0 * * * *' })
    // To half past an hour: a slot that is due right now is not missed.
    const past = platform.database.clock.now().getTime() % 3_600_000
    platform.advance(6 * 3_600_000 - past + 30 * minute)
    await look()
    expect((await runs()).length - before).toBeLessThanOrEqual(0)
    expect((await slots()).every((slot) => slot.state === 'missed')).toBe(true)
    await service.remove(tenant, 's')
  })

  test('a clock that jumps back starts no slot a second time', async () => {
    const { platform, create, look, runs, nextMinute } = place(use())
    await create({ overlap: 'allow', catchUp: 'all' })
    nextMinute(3)
    await look()
    const started = (await runs()).length
    platform.advance(-150_000)
    for (let n = 0; n < 3; n++) await look()
    expect((await runs()).length).toBe(started)
    platform.advance(210_000)
    await look()
    const slots = (await runs()).map((run) => run.slot)
    expect(new Set(slots).size).toBe(slots.length)
    expect(slots.length).toBeGreaterThan(started)
  })

  test('pause starts nothing, resume makes up for nothing', async () => {
    const { create, look, runs, nextMinute, service, slots } = place(use())
    await create({ catchUp: 'all', overlap: 'allow' })
    expect(await service.pause(tenant, 's')).toMatchObject({ state: 'paused', nextAt: null })
    nextMinute(5)
    await look()
    expect(await runs()).toEqual([])
    expect(await service.next(tenant, 's', 3)).toHaveLength(3)
    await service.resume(tenant, 's')
    await look()
    expect(await slots()).toEqual([])
    nextMinute()
    await look()
    expect(await runs()).toHaveLength(1)
  })

  test('a slot whose run is refused has failed and says why; the next one is tried', async () => {
    const { create, look, slots, nextMinute, platform } = place(use())
    await create({ source: { text: greet, fileName: 'greet.yaml' }, workflow: undefined })
    await use().owner(`update schedules set repo_path = '/gone'`)
    nextMinute()
    await look()
    expect(await slots()).toMatchObject([{ state: 'failed', reason: expect.stringContaining('/gone'), runId: null }])
    await use().owner(`update schedules set repo_path = null, inputs = '{"what": 1}'`)
    nextMinute()
    await look()
    expect((await slots()).map((slot) => slot.state)).toEqual(['failed', 'failed'])
    await use().owner(`update schedules set inputs = '{}'`)
    nextMinute()
    await look()
    expect((await slots()).map((slot) => slot.state)).toEqual(['failed', 'failed', 'started'])
    expect(platform.errors).toEqual([])
  })

  test('what would never run is refused at once', async () => {
    const { create, service } = place(use())
    const refused = (given: Partial<NewSchedule>) =>
      create(given).then(
        () => 'taken',
        (error) => error.code,
      )
    expect(await refused({ cron: 'often' })).toBe('cron-invalid')
    expect(await refused({ timeZone: 'Mars/Olympus' })).toBe('cron-invalid')
    expect(await refused({ workflow: 'nothing' })).toBe('workflow-not-found')
    expect(await refused({ inputs: { what: 1 } })).toBe('workflow-inputs-invalid')
    expect(await refused({ repo: '/gone' })).toBe('schedule-repo-unusable')
    expect(await refused({})).toBe('taken')
    expect(await refused({})).toBe('schedule-exists')
    await expect(service.show(tenant, 'other', 1)).rejects.toMatchObject({ code: 'schedule-not-found' })
  })
})

describe('replicas', () => {
  eachDatabase(
    'four at a time',
    (use) => {
      test('start each slot of many schedules once', async () => {
        const { create } = place(use())
        for (let n = 0; n < 10; n++) await create({ name: `s${n}`, catchUp: 'all', overlap: 'allow' })
        await use().owner(`update schedules set last_slot_at = date_trunc('minute', now()) - interval '5 minutes',
          due_at = now() - interval '4 minutes'`)
        const databases = await Promise.all([1, 2, 3, 4].map(() => openDatabase({ kind: 'postgres', url: use().url! })))
        const errors: unknown[] = []
        const loops = databases.map((database) => {
          const { platform, startLoop } = place({ ...use(), db: database })
          errors.push(platform.errors)
          return startLoop()
        })
        const count = async () =>
          Number((await use().owner<{ n: string }>(`select count(*) as n from schedule_slots`))[0]!.n)
        const deadline = performance.now() + 60_000
        while ((await count()) < 50 && performance.now() < deadline) await delay(20)
        await Promise.all(loops.map((loop) => loop.stop()))
        await Promise.all(databases.map((database) => database.close()))
        expect(errors.flat()).toEqual([])
        const doubles = await use().owner(
          `select labels->>'schedule' as schedule, labels->>'slot' as slot, count(*) from runs group by 1, 2 having count(*) > 1`,
        )
        expect(doubles).toEqual([])
        const [odd] = await use().owner<{ slots: string; runs: string }>(
          `select (select count(*) from schedule_slots where state = 'started') as slots, (select count(*) from runs) as runs`,
        )
        expect(odd!.slots).toBe(odd!.runs)
        expect(Number(odd!.runs)).toBeGreaterThanOrEqual(50)
      })
    },
    { kinds: ['postgres'] },
  )
})
