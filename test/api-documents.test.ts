import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OpenApiDocument } from '../src/foundation/platform/http/openapi.ts'
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
})
