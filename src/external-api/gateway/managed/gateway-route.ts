import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { GatewayRouteView } from './gateway-contract.ts'
import type { WriteGatewayRoute } from './route-definition-contract.ts'

/** A managed route as it is stored. */
export interface GatewayRoute {
  readonly tenant: TenantId
  readonly id: string
  readonly definition: WriteGatewayRoute
  readonly rev: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

export function toGatewayRouteView({ id, definition, rev, createdAt, updatedAt }: GatewayRoute): GatewayRouteView {
  return { ...definition, id, rev, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() }
}
