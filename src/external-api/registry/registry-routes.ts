import type { Database } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import {
  checkRegistered,
  publishAgent,
  type RegistryEntryView,
  removeRegistered,
  searchRegistry,
  showRegistered,
} from './registry-contract.ts'
import type { RegistryService } from './registry-service.ts'
import { type RegistryEntry, searchEntries } from './registry-store.ts'

/** The registry as people and programs see it. */
export function registryRoutes(database: Database, registry: RegistryService): Route[] {
  return [
    route({
      ...publishAgent,
      permission: 'registry:write',
      handle: async ({ params, body, principal, ifMatch, signal }) =>
        toView(await registry.publish(principal.tenant, params.name, body, principal.id, ifMatch, signal)),
    }),
    route({
      ...searchRegistry,
      permission: 'registry:read',
      handle: async ({ query, principal: { tenant } }) => {
        const { capability = '', owner, kind, health, text, maxTaskMicroUsd, after, limit } = query
        const rows = await database.forTenant(tenant).read((tx) =>
          searchEntries(tx, tenant, {
            capabilities: capability.split(',').filter((word) => word !== ''),
            ...{ owner: owner ?? null, kind: kind ?? null, health: health ?? null, text: text ?? null },
            ...{ maxTaskMicroUsd: maxTaskMicroUsd ?? null, after: after ?? null, limit: limit + 1 },
          }),
        )
        const items = rows.slice(0, limit).map(toView)
        return { items, next: rows.length > limit ? items.at(-1)!.name : null }
      },
    }),
    route({
      ...showRegistered,
      permission: 'registry:read',
      handle: async ({ params, principal }) => {
        const entry = await registry.show(principal.tenant, params.name)
        return { ...toView(entry), card: entry.card as Record<string, never> | null }
      },
    }),
    route({
      ...checkRegistered,
      permission: 'registry:write',
      handle: async ({ params, principal, signal }) =>
        toView(await registry.check(principal.tenant, params.name, signal)),
    }),
    route({
      ...removeRegistered,
      permission: 'registry:write',
      handle: ({ params, principal, ifMatch }) => registry.remove(principal.tenant, params.name, ifMatch),
    }),
  ]
}

function toView(entry: RegistryEntry): RegistryEntryView {
  const { tenant: _, card: __, nextCheckAt: ___, capabilities, checkedAt, createdAt, updatedAt, ...rest } = entry
  return {
    ...rest,
    capabilities: [...capabilities],
    checkedAt: checkedAt?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  }
}
