export type { FleetApi } from './fleet-api.ts'
export { createFleetServer } from './fleet-server.ts'
export { createMcpMount } from './mcp-mount.ts'
