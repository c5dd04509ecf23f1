import type { TenantId } from '../../foundation/kernel/ids.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import type { AskAnswer, AskQuestion } from '../agents/ask-contract.ts'
import type { HeldLease } from '../runs/leases-of-runner.ts'
import {
  appendRunnerLogs,
  appendRunnerToolCalls,
  askForRunner,
  askWaitMs,
  deliverCommit,
  drainRunner,
  exchangeWork,
  fetchRepository,
  finishArtifact,
  grantModelKey,
  registerRunner,
  removeRunner,
  runnerHints,
  uploadPiece,
  type WireReply,
} from './remote-runners-contract.ts'
import type { RemoteRunners } from './remote-runners-service.ts'
import type { RunnerRepositories } from './runner-repositories.ts'
import type { RunnerUploads } from './runner-uploads.ts'
import { runnerContract } from './runner-versions-contract.ts'

export interface RemoteRunnerRoutesOptions {
  readonly runners: RemoteRunners
  readonly uploads: RunnerUploads
  readonly repositories: RunnerRepositories
  readonly maxArtifactBytes: number
  /** A key for the model gateway that ends with the lease; the `models` part provides it. */
  readonly modelKey: (
    tenant: TenantId,
    lease: HeldLease,
    models: readonly string[],
    signal: AbortSignal,
  ) => Promise<string>
  /** Puts questions of agents to people; the `questions` part provides it. */
  readonly questions: {
    askFor(question: AskQuestion, waitMs: number, signal: AbortSignal): Promise<AskAnswer | null>
  }
}

/** What runners on other machines call. */
export function remoteRunnerRoutes(options: RemoteRunnerRoutesOptions): Route[] {
  const { runners, uploads, repositories, maxArtifactBytes, modelKey, questions } = options
  return [
    route({
      ...registerRunner,
      permission: 'runners:write',
      handle: async ({ principal, body }) => {
        const { runnerId, tenant, agents: named, now } = await runners.register(principal, body)
        return { runner: runnerId, tenant, contract: runnerContract, agents: named, now: now.toISOString() }
      },
    }),
    route({
      ...exchangeWork,
      permission: 'runners:write',
      handle: async ({ principal, params, body: { load, ...body }, signal }) => {
        const given = load === undefined ? body : { ...body, load: load as { readonly cpu?: number } }
        const reply = await runners.exchange(principal, params.runner, given as never, signal)
        return { ...reply, now: reply.now.toISOString() } as unknown as WireReply
      },
    }),
    route({
      ...runnerHints,
      permission: 'runners:write',
      handle: async ({ principal, params, signal }) => {
        const hints = await runners.hints(principal, params.runner, signal)
        return (async function* () {
          for await (const data of hints) yield { data }
        })()
      },
    }),
    route({
      ...drainRunner,
      permission: 'runners:write',
      handle: async ({ principal, params }) => ({ left: await runners.drain(principal, params.runner) }),
    }),
    route({
      ...removeRunner,
      permission: 'runners:write',
      handle: ({ principal, params }) => runners.remove(principal, params.runner),
    }),
    route({
      ...appendRunnerLogs,
      permission: 'runners:write',
      handle: async ({ principal, params, body }) => ({
        kept: await runners.appendLogs(principal, params.runner, body.chunks),
      }),
    }),
    route({
      ...appendRunnerToolCalls,
      permission: 'runners:write',
      handle: async ({ principal, params, body }) => ({
        kept: await runners.appendToolCalls(principal, params.runner, body.calls),
      }),
    }),
    route({
      ...uploadPiece,
      permission: 'artifacts:write',
      rawBody: true,
      handle: async ({ principal, params: { runner, fence, upload, piece }, rawBody, signal }) => {
        await runners.lease(principal, runner, fence)
        const { tenant } = principal
        await uploads.put({ tenant, runnerId: runner, upload }, piece, rawBody ?? new Uint8Array(), signal)
      },
    }),
    route({
      ...finishArtifact,
      permission: 'artifacts:write',
      handle: async ({ principal, params: { runner, fence }, body: { upload, pieces, sha256 }, signal }) => {
        await runners.lease(principal, runner, fence)
        const from = { tenant: principal.tenant, runnerId: runner, upload }
        return uploads.finish(from, { pieces, sha256 }, maxArtifactBytes, signal)
      },
    }),
    route({
      ...fetchRepository,
      permission: 'runners:write',
      handle: async ({ principal, params: { runner, fence }, query, signal }) => {
        const lease = await runners.lease(principal, runner, fence)
        const have = query.have.split(',').filter((commit) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(commit))
        const body = await repositories.read({ ...lease, tenant: principal.tenant }, have, signal, query.base)
        return { mediaType: 'application/x-git-packed-objects', fileName: `${lease.runId}.pack`, body }
      },
    }),
    route({
      ...deliverCommit,
      permission: 'runners:write',
      handle: async ({ principal, params: { runner, fence }, body: { upload, pieces, sha256, commit }, signal }) => {
        const lease = await runners.lease(principal, runner, fence)
        const from = { tenant: principal.tenant, runnerId: runner, upload }
        const source = { ...lease, tenant: principal.tenant }
        const ref = `refs/leanvibe/${lease.runId}/${lease.taskId}/${lease.attempt}`
        await repositories.keep(source, { commit, content: uploads.readWhole(from, { pieces, sha256 }), ref }, signal)
        await uploads.remove(from, pieces)
        return { ref }
      },
    }),
    route({
      ...grantModelKey,
      permission: 'runners:write',
      handle: async ({ principal, params: { runner, fence }, body: { models }, signal }) => {
        const lease = await runners.lease(principal, runner, fence)
        return { key: await modelKey(principal.tenant, lease, models, signal) }
      },
    }),
    route({
      ...askForRunner,
      permission: 'runners:write',
      handle: async ({ principal, params: { runner, fence }, body, signal }) => {
        const lease = await runners.lease(principal, runner, fence)
        const { runId, taskId, step } = lease
        const question = { ...body, tenant: principal.tenant, runId, taskId, step, fence } as AskQuestion
        return { answer: await questions.askFor(question, askWaitMs, signal) }
      },
    }),
  ]
}
