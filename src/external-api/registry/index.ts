export { registryErrors } from './registry-errors.ts'
export { registryRoutes } from './registry-routes.ts'
export { type KnownAgent, RegistryService } from './registry-service.ts'
export { findEntry } from './registry-store.ts'
