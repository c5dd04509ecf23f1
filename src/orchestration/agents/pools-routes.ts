import type { Database } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { listPools } from './pools-contract.ts'
import { readPools } from './pools-store.ts'

export function poolRoutes(database: Database): Route[] {
  return [
    route({
      ...listPools,
      permission: 'pools:read',
      handle: async ({ principal }) => {
        const { tenant } = principal
        const rows = await database.forTenant(tenant).read((tx) => readPools(tx, tenant))
        return { items: rows.map((row) => ({ ...row, byState: { ...row.byState } })) }
      },
    }),
  ]
}
