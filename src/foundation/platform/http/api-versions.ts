import type { Deprecation } from './endpoint-contract.ts'
import type { Route } from './route.ts'

/** One version of the API: its routes begin with `/api/<name>/`. Several can be served at once. */
export interface ApiVersion {
  /** `v1`, `v2`. */
  readonly name: string
  /** Set once there is a better one: each answer then carries `Deprecation`, `Sunset` and `Link`. */
  readonly deprecated?: Deprecation
  readonly routes: readonly Route[]
}

/** All routes of several versions. A route that stands in another version's place is a fault of the program. */
export function routesOfVersions(versions: readonly ApiVersion[]): Route[] {
  const all = versions.flatMap(({ name, deprecated, routes }) =>
    routes.map((route) => {
      if (!route.path.startsWith(`/api/${name}/`)) throw new Error(`${route.path} is not a path of version ${name}`)
      return deprecated === undefined ? route : Object.freeze({ ...route, deprecated })
    }),
  )
  const seen = new Set<string>()
  for (const { method, path } of all) {
    const name = `${method} ${path}`
    if (seen.has(name)) throw new Error(`there are two routes ${name}`)
    seen.add(name)
  }
  return all
}

/** The routes of a version as they are in its successor, but for those that it answers itself. */
export function carryOver(routes: readonly Route[], from: string, to: string, own: readonly Route[]): Route[] {
  const replaced = new Set(own.map(({ method, path }) => `${method} ${path}`))
  const carried = routes
    .map((route) =>
      Object.freeze({ ...route, deprecated: null, path: route.path.replace(`/api/${from}/`, `/api/${to}/`) }),
    )
    .filter(({ method, path }) => !replaced.has(`${method} ${path}`))
  return [...carried, ...own]
}

/** RFC 9745 and RFC 8594. */
export function deprecationHeaders({ since, sunset, link }: Deprecation): Record<string, string> {
  return {
    deprecation: `@${Math.floor(new Date(since).getTime() / 1_000)}`,
    ...(sunset === undefined ? {} : { sunset: new Date(sunset).toUTCString() }),
    ...(link === undefined ? {} : { link: `<${link}>; rel="successor-version"` }),
  }
}
