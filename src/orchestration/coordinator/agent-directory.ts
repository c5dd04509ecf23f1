import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { readCapabilities } from './sql/read-capabilities.ts'

/** What agents can do, kept in memory by the revision of their registration: asked for in every tick, changed rarely. */
export class AgentDirectory {
  readonly #agents = new Map<string, { readonly rev: number; readonly capabilities: ReadonlySet<string> }>()
  readonly #most: number

  constructor(most = 100_000) {
    this.#most = most
  }

  async capabilities(
    tx: ReadTx,
    tenant: TenantId,
    agents: readonly { readonly id: string; readonly rev: number }[],
  ): Promise<(id: string) => ReadonlySet<string>> {
    const key = (id: string) => `${tenant}/${id}`
    const missing = agents
      .filter((agent) => this.#agents.get(key(agent.id))?.rev !== agent.rev)
      .map((agent) => agent.id)
    if (missing.length > 0) {
      const rows = await readCapabilities(tx, tenant, missing)
      if (this.#agents.size > this.#most) this.#agents.clear()
      for (const row of rows) this.#agents.set(key(row.id), { rev: row.rev, capabilities: new Set(row.capabilities) })
    }
    return (id) => this.#agents.get(key(id))?.capabilities ?? none
  }
}

const none: ReadonlySet<string> = new Set()
