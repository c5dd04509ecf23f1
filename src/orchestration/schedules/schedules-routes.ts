import { type Route, route } from '../../foundation/platform/http/route.ts'
import {
  createSchedule,
  deleteSchedule,
  listSchedules,
  nextSlots,
  pauseSchedule,
  resumeSchedule,
  showSchedule,
} from './schedules-contract.ts'
import type { SchedulesService } from './schedules-service.ts'

export function scheduleRoutes(schedules: SchedulesService): Route[] {
  return [
    route({
      ...createSchedule,
      permission: 'schedules:write',
      handle: ({ body, principal }) => schedules.create(principal.tenant, body),
    }),
    route({
      ...listSchedules,
      permission: 'schedules:read',
      handle: async ({ principal }) => ({ items: await schedules.list(principal.tenant) }),
    }),
    route({
      ...showSchedule,
      permission: 'schedules:read',
      handle: ({ params, query, principal }) => schedules.show(principal.tenant, params.name, query.limit),
    }),
    route({
      ...nextSlots,
      permission: 'schedules:read',
      handle: async ({ params, query, principal }) => ({
        items: await schedules.next(principal.tenant, params.name, query.limit),
      }),
    }),
    route({
      ...pauseSchedule,
      permission: 'schedules:write',
      handle: ({ params, principal }) => schedules.pause(principal.tenant, params.name),
    }),
    route({
      ...resumeSchedule,
      permission: 'schedules:write',
      handle: ({ params, principal }) => schedules.resume(principal.tenant, params.name),
    }),
    route({
      ...deleteSchedule,
      permission: 'schedules:write',
      handle: ({ params, principal }) => schedules.remove(principal.tenant, params.name),
    }),
  ]
}
