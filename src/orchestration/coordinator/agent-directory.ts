import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { type AgentProfile, profileOf } from './agent-profile.ts'
import { readAgentProfiles } from './sql/read-agent-profiles.ts'

/** What agents are and can do, kept in memory by the revision of their registration: asked for in every tick, changed rarely. */
export class AgentDirectory {
  readonly #agents = new Map<string, { readonly rev: number; readonly profile: AgentProfile }>()
  /** Agents that registered alike share a profile: what fits one then fits all, and is looked up once. */
  readonly #profiles = new Map<string, AgentProfile>()
  readonly #most: number

  constructor(most = 100_000) {
    this.#most = most
  }

  async profiles(
    tx: ReadTx,
    tenant: TenantId,
    agents: readonly { readonly id: string; readonly rev: number }[],
  ): Promise<(id: string) => AgentProfile> {
    const key = (id: string) => `${tenant}/${id}`
    const missing = agents
      .filter((agent) => this.#agents.get(key(agent.id))?.rev !== agent.rev)
      .map((agent) => agent.id)
    if (missing.length > 0) {
      const rows = await readAgentProfiles(tx, tenant, missing)
      if (this.#agents.size > this.#most) {
        this.#agents.clear()
        this.#profiles.clear()
      }
      for (const { id, rev, capabilities, labels } of rows) {
        const alike = JSON.stringify([capabilities, labels])
        let profile = this.#profiles.get(alike)
        if (profile === undefined) {
          profile = profileOf(capabilities, labels)
          this.#profiles.set(alike, profile)
        }
        this.#agents.set(key(id), { rev, profile })
      }
    }
    return (id) => this.#agents.get(key(id))?.profile ?? unknownAgent
  }

  /** Only what they can do. */
  async capabilities(
    tx: ReadTx,
    tenant: TenantId,
    agents: readonly { readonly id: string; readonly rev: number }[],
  ): Promise<(id: string) => ReadonlySet<string>> {
    const profileOfAgent = await this.profiles(tx, tenant, agents)
    return (id) => profileOfAgent(id).capabilities
  }
}

const unknownAgent: AgentProfile = Object.freeze(profileOf([], {}))
