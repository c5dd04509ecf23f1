import type { z } from 'zod'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Principal } from '../../foundation/platform/http/principal.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import type { OpenedCall, ServiceCalls } from '../agents/http/service-calls.ts'
import type { ContextSink } from '../context-growth/context-growth.ts'
import type { HeldLease } from '../runs/leases-of-runner.ts'
import { remoteRunnerErrors } from './remote-runners-errors.ts'
import type { RemoteRunners } from './remote-runners-service.ts'
import {
  acceptRunnerCall,
  answerRunnerCall,
  closeRunnerCall,
  dropRunnerContext,
  expectRunnerContext,
  keepRunnerContext,
  messagesWaitMs,
  openRunnerCall,
  runnerCallMessages,
} from './runner-services-contract.ts'

/** What the parts provide that agents need beside their leases. */
export interface RunnerServices {
  readonly contexts: ContextSink
  readonly calls: Pick<ServiceCalls, 'open' | 'ofLease'>
}

const permission = 'runners:write'

/** What agents on runners without a database keep here; each route opens what belongs to one present lease of the caller. */
export function runnerServiceRoutes(runners: RemoteRunners, { contexts, calls }: RunnerServices): Route[] {
  const held = async (principal: Principal, { runner, fence }: { runner: string; fence: number }) => ({
    ...(await runners.lease(principal, runner, fence)),
    tenant: principal.tenant,
  })
  const callOf = async (principal: Principal, params: { runner: string; fence: number }): Promise<OpenedCall> => {
    const call = await ofLease(calls, await held(principal, params))
    if (call === null) throw remoteRunnerErrors['service-call-over'](`nothing is open under the lease ${params.fence}`)
    return call
  }
  return [
    route({
      ...keepRunnerContext,
      permission,
      handle: async ({ principal, params, body: { change, ...state } }) =>
        contexts.keep(await held(principal, params), state, change),
    }),
    route({
      ...expectRunnerContext,
      permission,
      handle: async ({ principal, params }) => {
        const lease = await held(principal, params)
        return { growth: (await contexts.expected?.(lease)) ?? null }
      },
    }),
    route({
      ...dropRunnerContext,
      permission,
      handle: async ({ principal, params }) => contexts.drop(await held(principal, params)),
    }),
    route({
      ...openRunnerCall,
      permission,
      handle: async ({ principal, params, body }) => {
        const lease = await held(principal, params)
        // Asked again because the answer was lost: there it is.
        const open = await ofLease(calls, lease)
        const { id, token, accepted } = open ?? (await calls.open(lease, { ...body, pool: lease.pool }))
        return { id, token, accepted: accepted === null ? null : { answer: accepted.answer as z.core.util.JSONType } }
      },
    }),
    route({
      ...acceptRunnerCall,
      permission,
      handle: async ({ principal, params, body }) => (await callOf(principal, params)).keepAccepted(body.answer),
    }),
    route({
      ...runnerCallMessages,
      permission,
      handle: async ({ principal, params, query, signal }) => {
        const call = await callOf(principal, params)
        const wait = AbortSignal.timeout(messagesWaitMs)
        const items = await call.messagesAfter(query.after, AbortSignal.any([signal, wait])).catch((error: unknown) => {
          if (wait.aborted) return []
          throw error
        })
        return { items: items.map((item) => ({ ...item, answer: item.answer as z.core.util.JSONType })) }
      },
    }),
    route({
      ...answerRunnerCall,
      permission,
      handle: async ({ principal, params, body }) => {
        await (await callOf(principal, params)).answer(params.seq, body.answer)
      },
    }),
    route({
      ...closeRunnerCall,
      permission,
      handle: async ({ principal, params, body }) => {
        const call = await ofLease(calls, await held(principal, params))
        await call?.close(body.reason)
      },
    }),
  ]
}

function ofLease(calls: RunnerServices['calls'], { tenant, taskId, fence }: HeldLease & { tenant: TenantId }) {
  return calls.ofLease(tenant, { taskId, fence })
}
