import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import { nextSlot, parseCronRule, slotsBetween } from '../../foundation/platform/calendar/cron.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { RepoAt } from '../runs/runs-service.ts'
import type { WorkflowCatalog } from '../runs/workflow-catalog.ts'
import { scheduleEvent } from './fire-schedule.ts'
import { dueOf } from './plan-slots.ts'
import { toScheduleView, toSlotView } from './schedule-views.ts'
import type { createScheduleSchema, ScheduleView, SlotView } from './schedules-contract.ts'
import { scheduleErrors } from './schedules-errors.ts'
import {
  findSchedule,
  insertSchedule,
  lockSchedule,
  readSchedules,
  removeSchedule,
  type ScheduleRow,
  saveSchedule,
} from './schedules-store.ts'
import { ruleOf } from './slot-rule.ts'
import { lastSlots, newestSlots } from './slots-store.ts'

export type NewSchedule = ReturnType<typeof createScheduleSchema.parse>

export interface SchedulesServiceOptions {
  readonly database: Database
  readonly catalog: WorkflowCatalog
  /** Looks a repository up. Throws where there is none. */
  readonly repoAt: (path: string) => Promise<RepoAt>
  /** Most tasks at a time of runs whose schedule does not say; null: no limit of its own. */
  readonly parallel: number | null
}

/** Schedules as people and programs see and change them. Their slots are fired elsewhere. */
export class SchedulesService {
  readonly #options: SchedulesServiceOptions

  constructor(options: SchedulesServiceOptions) {
    this.#options = options
  }

  /** Throws `cron-invalid`, `schedule-invalid`, `schedule-exists`, and what the workflow, its inputs or the repository are refused for. */
  async create(tenant: TenantId, asked: NewSchedule): Promise<ScheduleView> {
    const { database, catalog, repoAt, parallel } = this.#options
    if ((asked.workflow === undefined) === (asked.source === undefined)) {
      throw scheduleErrors['schedule-invalid']('a schedule has exactly one of workflow and source')
    }
    const repo = asked.repo === undefined ? null : await repoAt(asked.repo)
    return database.forTenant(tenant).write(async (tx) => {
      const now = database.clock.now()
      const rule = parseCronRule(asked, now)
      const { definition } = await catalog.store(tx, tenant, asked.source ?? { name: asked.workflow! }, now)
      const inputs = asked.inputs as JsonObject
      // What is refused now would be refused at every slot.
      catalog.resolveInputs(definition, inputs)
      const { name, labels, catchUp, catchUpWindowMs, overlap, jitterMs } = asked
      const row: ScheduleRow = {
        ...{ tenant, name, labels, catchUp, catchUpWindowMs, overlap, jitterMs, ...rule, inputs },
        rev: 0,
        workflow: definition.name,
        repoPath: repo?.path ?? null,
        priority: asked.priority ?? null,
        parallel: asked.parallel ?? parallel,
        state: 'active',
        lastSlotAt: now,
        dueAt: null,
        createdAt: now,
      }
      const timed = { ...row, dueAt: dueAfter(row, now) }
      if (!(await insertSchedule(tx, timed))) {
        throw scheduleErrors['schedule-exists'](`there is a schedule ${name} already`)
      }
      await appendEvents(tx, [scheduleEvent(timed, 'schedule.created', now, { cron: rule.cron, zone: rule.timeZone })])
      return toScheduleView({ ...timed, rev: 1 }, null)
    })
  }

  async list(tenant: TenantId): Promise<ScheduleView[]> {
    return this.#options.database.forTenant(tenant).read(async (tx) => {
      const slots = await lastSlots(tx, tenant)
      return (await readSchedules(tx, tenant)).map((row) => toScheduleView(row, slots.get(row.name) ?? null))
    })
  }

  async show(tenant: TenantId, name: string, limit: number): Promise<{ schedule: ScheduleView; slots: SlotView[] }> {
    return this.#options.database.forTenant(tenant).read(async (tx) => {
      const row = (await findSchedule(tx, tenant, name)) ?? missing(name)
      const slots = await newestSlots(tx, row, limit)
      return { schedule: toScheduleView(row, slots[0] ?? null), slots: slots.map(toSlotView) }
    })
  }

  /** The coming slots, also of a schedule that is paused. */
  async next(tenant: TenantId, name: string, limit: number): Promise<{ slotAt: string; startsAt: string }[]> {
    const { database } = this.#options
    const row = (await database.forTenant(tenant).read((tx) => findSchedule(tx, tenant, name))) ?? missing(name)
    const now = database.clock.now()
    const after = row.lastSlotAt > now ? row.lastSlotAt : now
    return slotsBetween(row, after, farFuture, limit).map((slot) => ({
      slotAt: slot.toISOString(),
      startsAt: dueOf(ruleOf(row), slot).toISOString(),
    }))
  }

  pause(tenant: TenantId, name: string): Promise<ScheduleView> {
    return this.#change(tenant, name, 'schedule.paused', (row) => ({ ...row, state: 'paused', dueAt: null }))
  }

  /** Slots that passed meanwhile are not made up for: a pause is meant. */
  resume(tenant: TenantId, name: string): Promise<ScheduleView> {
    return this.#change(tenant, name, 'schedule.resumed', (row, now) => {
      const lastSlotAt = row.lastSlotAt > now ? row.lastSlotAt : now
      return { ...row, state: 'active', lastSlotAt, dueAt: dueAfter(row, lastSlotAt) }
    })
  }

  async remove(tenant: TenantId, name: string): Promise<{ name: string }> {
    const { database } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      const row = (await lockSchedule(tx, tenant, name)) ?? missing(name)
      await removeSchedule(tx, tenant, name)
      await appendEvents(tx, [scheduleEvent(row, 'schedule.deleted', database.clock.now(), {})])
      return { name }
    })
  }

  /** Changes a schedule under its lock; one that is in that state already stays as it is. */
  async #change(
    tenant: TenantId,
    name: string,
    type: string,
    change: (row: ScheduleRow, now: Date) => ScheduleRow,
  ): Promise<ScheduleView> {
    const { database } = this.#options
    return database.forTenant(tenant).write(async (tx: Tx) => {
      const now = database.clock.now()
      const row = (await lockSchedule(tx, tenant, name)) ?? missing(name)
      const changed = change(row, now)
      if (changed.state !== row.state) {
        await saveSchedule(tx, { ...changed, rev: row.rev + 1 })
        await appendEvents(tx, [scheduleEvent(row, type, now, {})])
      }
      const [last] = await newestSlots(tx, row, 1)
      return toScheduleView(changed.state === row.state ? row : changed, last ?? null)
    })
  }
}

const farFuture = new Date('9999-12-31T00:00:00Z')

function dueAfter(row: ScheduleRow, after: Date): Date | null {
  const slot = nextSlot(row, after)
  return slot === null ? null : dueOf(ruleOf(row), slot)
}

function missing(name: string): never {
  throw scheduleErrors['schedule-not-found'](`there is no schedule ${name}`)
}
