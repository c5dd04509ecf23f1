export type { FleetApi } from './fleet-api.ts'
export { createMcpMount } from './mcp-mount.ts'
