import type { ApiVersion } from '../../../foundation/platform/http/api-versions.ts'
import type { Route } from '../../../foundation/platform/http/route.ts'

/**
 * The first version: whatever the parts of the platform offer below `/api/v1/`. A second one is a folder beside this one
 * that takes over these routes by `carryOver` and brings its own for what has changed; this one then says `deprecated`.
 */
export function v1(routes: readonly Route[]): ApiVersion {
  return { name: 'v1', routes }
}
