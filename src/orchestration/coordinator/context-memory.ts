import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { runOfTask } from '../runs/task-ids-contract.ts'
import { type OwnSpec, sharedKeyOf } from './shared-spec.ts'
import { type FreshContext, type RepoOfRun, readRepos } from './sql/read-leases.ts'
import { readSharedSpecs } from './sql/shared-specs.ts'

/** A lease that its runner does not know yet. `spec` is its own part; undefined while nobody has read it. */
export interface FreshLease {
  readonly tenant: TenantId
  readonly taskId: string
  readonly spec?: OwnSpec | null
}

/** What the specifications of some leases need beside their own parts. */
export interface LeaseContext {
  /** What the task shares with its step; undefined where it shares nothing. */
  sharedOf(lease: FreshLease): JsonObject | undefined
  repoOf(lease: FreshLease): RepoOfRun | null
}

/** What tasks share never changes, so that it is read once. */
export class ContextMemory {
  #repos = new Map<string, RepoOfRun | null>()
  #shared = new Map<string, JsonObject>()

  keep(context: readonly FreshContext[]): void {
    for (const { tenant, runId, key, spec, repo } of context) {
      this.#keepRepo(tenant, runId, repo)
      if (spec !== null) this.#keepShared(tenant, key, spec)
    }
  }

  /** The context of these leases if all of it is known. */
  recall(leases: readonly FreshLease[]): LeaseContext | null {
    const { repos, shared } = this.#missing(leases)
    return repos.length + shared.length === 0 ? this.#context() : null
  }

  async read(tx: ReadTx, leases: readonly FreshLease[]): Promise<LeaseContext> {
    const missing = this.#missing(leases)
    const known = this.#context()
    if (missing.repos.length + missing.shared.length === 0) return known
    const [repos, shared] = await Promise.all([
      missing.repos.length === 0 ? [] : readRepos(tx, missing.repos),
      missing.shared.length === 0 ? [] : readSharedSpecs(tx, missing.shared),
    ])
    const newRepos = new Map(repos.map(({ tenant, runId, repo }) => [`${tenant}/${runId}`, repo]))
    const newShared = new Map(shared.map(({ tenant, key, spec }) => [`${tenant}/${key}`, spec]))
    for (const { tenant, runId, repo } of repos) this.#keepRepo(tenant, runId, repo)
    for (const { tenant, key, spec } of shared) this.#keepShared(tenant, key, spec)
    return {
      sharedOf: byStep((lease) => newShared.get(sharedKey(lease)) ?? known.sharedOf(lease)),
      repoOf: byStep((lease) => newRepos.get(repoKey(lease)) ?? known.repoOf(lease)),
    }
  }

  /** What is known now: what is forgotten later stays in it. */
  #context(): LeaseContext {
    const [repos, shared] = [this.#repos, this.#shared]
    return {
      sharedOf: byStep((lease) => shared.get(sharedKey(lease))),
      repoOf: byStep((lease) => repos.get(repoKey(lease)) ?? null),
    }
  }

  #missing(leases: readonly FreshLease[]) {
    const repos = new Map<string, { tenant: TenantId; runId: string }>()
    const shared = new Map<string, { tenant: TenantId; key: string }>()
    const isRepoKnown = byStep((lease) => this.#repos.has(repoKey(lease)))
    const isSharedKnown = byStep((lease) => this.#shared.has(sharedKey(lease)))
    for (const lease of leases) {
      const { tenant, taskId, spec } = lease
      if (!isRepoKnown(lease)) repos.set(repoKey(lease), { tenant, runId: runOfTask(taskId) })
      if (spec !== undefined && spec !== null && 'kind' in spec) continue
      if (!isSharedKnown(lease)) shared.set(sharedKey(lease), { tenant, key: sharedKeyOf(taskId) })
    }
    return { repos: [...repos.values()], shared: [...shared.values()] }
  }

  // A full memory is replaced, not emptied: a context that was recalled goes on with the old one.
  #keepShared(tenant: string, key: string, spec: JsonObject): void {
    if (this.#shared.size > 10_000) this.#shared = new Map()
    this.#shared.set(`${tenant}/${key}`, spec)
  }

  #keepRepo(tenant: string, runId: string, repo: RepoOfRun | null): void {
    if (this.#repos.size > 50_000) this.#repos = new Map()
    this.#repos.set(`${tenant}/${runId}`, repo)
  }
}

/** Leases of one step come together, for the most part: what is known of the last one is known of the next. */
function byStep<T>(find: (lease: FreshLease) => T): (lease: FreshLease) => T {
  let last: { readonly tenant: string; readonly step: string; readonly found: T } | null = null
  return (lease) => {
    if (last !== null && last.tenant === lease.tenant && lease.taskId.startsWith(last.step)) return last.found
    const found = find(lease)
    last = { tenant: lease.tenant, step: `${sharedKeyOf(lease.taskId)}.`, found }
    return found
  }
}

function sharedKey({ tenant, taskId }: FreshLease): string {
  return `${tenant}/${sharedKeyOf(taskId)}`
}

function repoKey({ tenant, taskId }: FreshLease): string {
  return `${tenant}/${runOfTask(taskId)}`
}
