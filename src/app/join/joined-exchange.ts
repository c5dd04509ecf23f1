import { setTimeout as delay } from 'node:timers/promises'
import { isAppError, messageOf } from '../../foundation/kernel/errors.ts'
import type { AgentId, RunId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import type { WireReply, WireRequest } from '../../orchestration/remote-runners/remote-runners-contract.ts'
import type {
  Assignment,
  AttemptError,
  AttemptReport,
  ExchangePort,
  ExchangeRequest,
} from '../../orchestration/runners/exchange-contract.ts'
import type { HostedAgents } from '../runner-home.ts'
import { joinErrors } from './join-errors.ts'
import type { JoinedClock } from './joined-clock.ts'
import type { RunnerServer } from './runner-server.ts'

export interface JoinedExchangeOptions {
  readonly server: RunnerServer
  readonly clock: JoinedClock
  readonly tenantOf: () => TenantId
  /** Where the copy of a repository lies here. */
  readonly pathOf: (tenant: string, path: string) => string
  /** Why the commit of an attempt could not be brought back; null: it was, or there is none. */
  readonly undelivered: (fence: number) => AttemptError | null
  /** The agents that live here; undefined until there is a runner. */
  readonly hosted: () => HostedAgents | undefined
  /** Told when the server knows the runner no more. */
  readonly onForgotten: (error: unknown) => void
  readonly onError: (error: unknown) => void
}

/** How often it is told which agents live here where nobody hints at news: each time the servers look whether it shall change. */
const tellEveryMs = 5_000
const listenAgainMs = 5_000

/** The coordinator as it is reached over HTTP. */
export function createJoinedExchange(options: JoinedExchangeOptions): ExchangePort {
  const { server, clock, tenantOf, pathOf, undelivered, hosted, onForgotten, onError } = options
  let tell = true
  let toldAt = Number.NEGATIVE_INFINITY
  return {
    async exchange(request, signal) {
      const tenant = tenantOf()
      const sent = clock.monotonic()
      const agents = tell || sent - toldAt > tellEveryMs ? hosted()?.ids() : undefined
      if (agents !== undefined) {
        tell = false
        toldAt = sent
      }
      const wire = { ...toWire(request, undelivered), ...(agents === undefined ? {} : { agents: [...agents] }) }
      const reply = await server.exchange(request.runnerId, wire, signal).catch((error) => {
        tell = true
        onForgotten(error)
        throw isAbout(error) ? joinErrors['join-refused'](messageOf(error), { cause: error }) : error
      })
      clock.learn(new Date(reply.now), sent, clock.monotonic())
      if (reply.agents !== undefined) tell = obey(hosted(), reply.agents) || tell
      return {
        cancels: reply.cancels.map((each) => ({ ...each, taskId: each.taskId as TaskId })),
        revoked: reply.revoked.map((each) => ({ ...each, taskId: each.taskId as TaskId })),
        assignments: reply.assignments.map(
          (each): Assignment => ({
            ...each,
            tenant,
            runId: each.runId as RunId,
            taskId: each.taskId as TaskId,
            agentId: each.agentId as AgentId,
            spec: each.spec as unknown as Assignment['spec'],
            repo: each.repo === null ? null : { path: pathOf(tenant, each.repo.path), commit: each.repo.commit },
          }),
        ),
      }
    },
    onHint(runnerId, wake) {
      const stop = new AbortController()
      const listen = async () => {
        while (!stop.signal.aborted) {
          try {
            for await (const _ of server.hints(runnerId, stop.signal)) {
              tell = true
              wake()
            }
          } catch (error) {
            if (stop.signal.aborted) return
            onError(error)
            onForgotten(error)
          }
          // Without hints it goes on by looks of its own, more slowly: a refusal must not be the end of them.
          await delay(listenAgainMs, undefined, { signal: stop.signal }).catch(() => {})
        }
      }
      void listen()
      return () => stop.abort()
    },
  }
}

/** True: there is news for the server. */
function obey(hosted: HostedAgents | undefined, { start, stop }: NonNullable<WireReply['agents']>): boolean {
  if (hosted === undefined) return false
  for (const id of stop) hosted.stop(id)
  return start.filter(({ id, pool }) => hosted.start(id, pool)).length > 0
}

/** Refused for who we are: whatever was to be told is as good as before, and is told when we are let in again. */
function isAbout(error: unknown): boolean {
  return isAppError(error) && ['unauthenticated', 'forbidden', 'not-found'].includes(error.kind)
}

/** What is reported without its tenant, which follows from the key; and never a commit that nobody else has. */
function toWire(request: ExchangeRequest, undelivered: (fence: number) => AttemptError | null): WireRequest {
  const { reports, progress, holding, accept, load } = request
  return {
    reports: reports.map((report) => withoutTenant(corrected(report, undelivered(report.fence)))),
    progress: progress.map(({ taskId, fence, note }) => ({ taskId, fence, ...(note === undefined ? {} : { note }) })),
    holding: [...holding],
    accept,
    ...(load === undefined ? {} : { load }),
  } as object as WireRequest
}

function corrected(report: AttemptReport, error: AttemptError | null): AttemptReport {
  if (error === null) return report
  const { outcome } = report
  const failed = outcome === 'succeeded' ? { outcome: 'failed' as const, error } : {}
  return { ...report, ...failed, output: null, workspaceCommit: null }
}

function withoutTenant({ tenant: _, ...report }: AttemptReport) {
  return report
}
