import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { runStateSchema, startRunSchema } from '../runs/runs-contract.ts'

const day = 86_400_000

export const catchUpSchema = z.enum(['skip', 'latest', 'all'])
export const overlapSchema = z.enum(['skip', 'queue', 'allow', 'replace'])
export const scheduleStateSchema = z.enum(['active', 'paused'])
export const slotStateSchema = z.enum(['started', 'queued', 'skipped', 'missed', 'failed', 'ended'])

const scheduleName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'expected lower-case letters, digits and . _ -, at most 100 characters')

/** How a schedule is made. Exactly one of `workflow` (a name) and `source` (YAML text, kept under its name) is given. */
export const createScheduleSchema = z.object({
  name: scheduleName,
  workflow: z.string().min(1).max(200).optional(),
  source: startRunSchema.shape.source,
  inputs: startRunSchema.shape.inputs,
  repo: startRunSchema.shape.repo,
  priority: startRunSchema.shape.priority,
  parallel: startRunSchema.shape.parallel,
  labels: startRunSchema.shape.labels,
  /** Five fields, or @hourly, @daily, @weekly, @monthly, @yearly. */
  cron: z.string().min(1).max(200),
  timeZone: z.string().min(1).max(100).default('UTC'),
  /** Slots that nobody saw pass: none is made up for, the newest is, or all within `catchUpWindowMs`. */
  catchUp: catchUpSchema.default('skip'),
  catchUpWindowMs: z
    .int()
    .min(0)
    .max(366 * day)
    .default(day),
  /** While a run of the schedule is open, a slot is skipped, waits, starts beside it, or takes its place. */
  overlap: overlapSchema.default('skip'),
  /** Each slot starts up to this much later, by an amount fixed for it. */
  jitterMs: z.int().min(0).max(day).default(0),
})
export type CreateSchedule = z.input<typeof createScheduleSchema>

export const slotSchema = z.object({
  slotAt: z.iso.datetime(),
  state: slotStateSchema,
  /** Why it was skipped, missed or failed. */
  reason: z.string().nullable(),
  runId: z.string().nullable(),
  runState: runStateSchema.nullable(),
  decidedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
})
export type SlotView = z.infer<typeof slotSchema>

export const scheduleSchema = z.object({
  name: z.string(),
  state: scheduleStateSchema,
  workflow: z.string(),
  inputs: z.record(z.string(), z.json()),
  repo: z.string().nullable(),
  priority: z.int().nullable(),
  parallel: z.int().nullable(),
  labels: z.record(z.string(), z.string()),
  cron: z.string(),
  timeZone: z.string(),
  catchUp: catchUpSchema,
  catchUpWindowMs: z.int(),
  overlap: overlapSchema,
  jitterMs: z.int(),
  createdAt: z.iso.datetime(),
  /** When it starts its next run; null while paused, or when no slot is left. */
  nextAt: z.iso.datetime().nullable(),
  lastSlot: slotSchema.nullable(),
})
export type ScheduleView = z.infer<typeof scheduleSchema>

const params = z.object({ name: z.string().min(1).max(100) })

export const createSchedule = endpoint({
  method: 'POST',
  path: '/api/v1/schedules',
  summary: 'Creates a schedule that starts runs of a workflow.',
  body: createScheduleSchema,
  output: scheduleSchema,
  status: 201,
})

export const listSchedules = endpoint({
  method: 'GET',
  path: '/api/v1/schedules',
  summary: 'Lists schedules by name, with their next time and their last slot.',
  output: z.object({ items: z.array(scheduleSchema) }),
})

export const showSchedule = endpoint({
  method: 'GET',
  path: '/api/v1/schedules/:name',
  summary: 'Shows a schedule with its newest slots.',
  params,
  query: z.object({ limit: z.coerce.number().int().min(1).max(1_000).default(20) }),
  output: z.object({ schedule: scheduleSchema, slots: z.array(slotSchema) }),
})

export const nextSlots = endpoint({
  method: 'GET',
  path: '/api/v1/schedules/:name/next',
  summary: 'The coming slots of a schedule, and when each starts.',
  params,
  query: z.object({ limit: z.coerce.number().int().min(1).max(1_000).default(5) }),
  output: z.object({ items: z.array(z.object({ slotAt: z.iso.datetime(), startsAt: z.iso.datetime() })) }),
})

export const pauseSchedule = endpoint({
  method: 'POST',
  path: '/api/v1/schedules/:name/pause',
  summary: 'Starts no more runs until the schedule is resumed; runs that are open go on.',
  params,
  output: scheduleSchema,
})

export const resumeSchedule = endpoint({
  method: 'POST',
  path: '/api/v1/schedules/:name/resume',
  summary: 'Goes on with the next slot; those of the pause are not made up for.',
  params,
  output: scheduleSchema,
})

export const deleteSchedule = endpoint({
  method: 'DELETE',
  path: '/api/v1/schedules/:name',
  summary: 'Removes a schedule and its slots; the runs it started stay.',
  params,
  output: z.object({ name: z.string() }),
})
