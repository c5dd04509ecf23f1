import { type ApiVersion, routesOfVersions } from '../../foundation/platform/http/api-versions.ts'
import type { Route } from '../../foundation/platform/http/route.ts'
import { documentRoutes } from './documents.ts'
import { v1 } from './v1/index.ts'

/** Everything the server answers: the versions of the API, what stands outside of them, and the documents about it. */
export function apiRoutes(platform: readonly Route[], health: readonly Route[]): Route[] {
  const [versioned, others] = split(platform)
  const versions: readonly ApiVersion[] = [v1(versioned)]
  const routes = [...routesOfVersions(versions), ...others, ...health]
  return [...routes, ...documentRoutes(routes)]
}

/** Protocols that are not ours to version have paths of their own. */
function split(routes: readonly Route[]): [Route[], Route[]] {
  const isVersioned = ({ path }: Route) => path.startsWith('/api/')
  return [routes.filter(isVersioned), routes.filter((route) => !isVersioned(route))]
}
