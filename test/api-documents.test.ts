import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { documentRoutes } from '../src/app/api/documents.ts'
import { v1 } from '../src/app/api/v1/index.ts'
import type { TenantId } from '../src/foundation/kernel/ids.ts'
import { carryOver, routesOfVersions } from '../src/foundation/platform/http/api-versions.ts'
import { bearerTokenOf } from '../src/foundation/platform/http/bearer-token.ts'
import type { OpenApiDocument } from '../src/foundation/platform/http/openapi.ts'
import { route } from '../src/foundation/platform/http/route.ts'
import { createServer } from '../src/foundation/platform/http/server.ts'
import { startApi, type TestApi } from './support/api.ts'
import { openTestDatabase, type TestDatabase } from './support/databases.ts'

describe('the documents of the API', () => {
  let use: TestDatabase
  let api: TestApi
  let document: OpenApiDocument

  beforeAll(async () => {
    use = await openTestDatabase('pglite')
    api = await startApi(use.db)
    document = (await (await fetch(`${api.server.localUrl}/openapi.json`)).json()) as OpenApiDocument
  }, 120_000)

  afterAll(async () => {
    await api.close()
    await use.close()
  })

  test('describe every route, each under a name of its own', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    )
    const routes = api.server.routes
      .filter(({ reply, path }) => reply !== 'page' && path !== '/openapi.json')
      .map(({ method, path }) => `${method} ${path}`)
    expect(described.filter((name) => name !== 'GET /openapi.json').sort()).toEqual(routes.sort())
    const names = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map((one) => one.operationId),
    )
    expect(new Set(names).size).toBe(names.length)
  })

  test('refer to nothing that is not there, and describe every parameter of a path', () => {
    const text = JSON.stringify(document)
    for (const [, ref] of text.matchAll(/"\$ref":"([^"]+)"/g)) {
      const target = ref!
        .slice(2)
        .split('/')
        .reduce<unknown>((at, name) => (at as Record<string, unknown>)?.[name], document)
      expect(target, ref).toBeDefined()
    }
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const operation of Object.values(methods)) {
        const inPath = (operation.parameters ?? []).filter((one) => one.in === 'path').map(({ name }) => name)
        expect(inPath.sort(), path).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!).sort())
        expect(operation['x-permission'], path).toMatch(/^(public|[a-z-]+:(read|write|admin))$/)
      }
    }
  })

  test('every route says in a sentence what it does', () => {
    const silent = api.server.routes.filter(({ summary }) => summary === null || !summary.endsWith('.'))
    expect(silent.map(({ method, path }) => `${method} ${path}`)).toEqual([])
  })

  test('the reference is whole, and asks nobody else for anything', async () => {
    const reply = await fetch(`${api.server.localUrl}/docs`)
    expect(reply.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'self'/)
    const page = await reply.text()
    expect(page).not.toMatch(/<script|https?:\/\/|javascript:/)
    for (const methods of Object.values(document.paths))
      for (const { operationId } of Object.values(methods)) expect(page).toContain(`<section id="${operationId}">`)
    for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) expect(page).toContain(`id="${target}"`)
    const assets = [...page.matchAll(/(?:href|src)="(\/[^"]+)"/g)].map(([, path]) => path!)
    expect(assets).toContain('/docs/reference.css')
    for (const path of assets) expect((await fetch(api.server.localUrl + path)).status).toBe(200)
    const known = { headers: { 'if-none-match': reply.headers.get('etag')! } }
    expect((await fetch(`${api.server.localUrl}/docs`, known)).status).toBe(304)
  })

  test('two versions of all of it are served at once: the older says until when, and both are described', async () => {
    const first = api.server.routes.filter(({ path }) => path.startsWith('/api/'))
    const deprecated = { since: '2027-01-01', sunset: '2027-07-01', link: 'https://example.org/v2' }
    const own = [
      route({
        ...{
          method: 'GET',
          path: '/api/v2/whoami',
          permission: 'members:read',
          output: z.object({ name: z.string() }),
        },
        handle: ({ principal }) => ({ name: principal.id }),
      }),
    ]
    const versions = routesOfVersions([
      { ...v1(first), deprecated },
      { name: 'v2', routes: carryOver(first, 'v1', 'v2', own) },
    ])
    const principal = { id: 'ann', tenant: 'default' as TenantId, permissions: ['*'] }
    await using server = createServer({
      routes: [...versions, ...documentRoutes(versions)],
      authenticate: bearerTokenOf('lvt_tests', principal),
    })
    const { url } = await server.listen()
    const ask = (path: string) => fetch(url + path, { headers: { authorization: 'Bearer lvt_tests' } })

    const [old, young] = await Promise.all([ask('/api/v1/members'), ask('/api/v2/members')])
    expect(Object.fromEntries(old.headers)).toMatchObject({
      deprecation: '@1798761600',
      sunset: 'Thu, 01 Jul 2027 00:00:00 GMT',
      link: '<https://example.org/v2>; rel="successor-version"',
    })
    for (const name of ['deprecation', 'sunset', 'link']) expect(young.headers.get(name)).toBeNull()
    expect(await young.text()).toBe(await old.text())
    expect(await (await ask('/api/v2/whoami')).json()).toEqual({ name: 'ann' })
    expect(await (await ask('/api/v1/whoami')).json()).toMatchObject({ id: 'ann' })
    // Also what is refused says it.
    expect((await fetch(`${url}/api/v1/members`)).headers.get('sunset')).toBe('Thu, 01 Jul 2027 00:00:00 GMT')

    const both = (await (await ask('/openapi.json')).json()) as OpenApiDocument
    const operations = Object.entries(both.paths).flatMap(([path, methods]) =>
      Object.values(methods).map((operation) => ({ path, ...operation })),
    )
    const ofVersion = (version: string) => operations.filter(({ path }) => path.startsWith(`/api/${version}/`))
    expect(ofVersion('v2')).toHaveLength(ofVersion('v1').length)
    expect(ofVersion('v1').filter((one) => one.deprecated !== true)).toEqual([])
    expect(ofVersion('v2').filter((one) => one.deprecated === true)).toEqual([])
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
  })
})
