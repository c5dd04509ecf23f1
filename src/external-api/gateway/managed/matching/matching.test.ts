import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type WriteGatewayRoute, writeGatewayRouteSchema } from '../route-definition-contract.ts'
import { hostNameOf, RouteTable } from './match-route.ts'
import { RouteTrie } from './route-trie.ts'
import { isUnambiguous, rewritePath } from './safe-path.ts'

const all = () => true
const segment = fc.constantFrom('a', 'b', 'c', ':x', ':y')
const patternOf = fc.tuple(fc.array(segment, { maxLength: 4 }), fc.boolean()).map(([segments, rest]) => {
  const named = segments.map((text, n) => (text.startsWith(':') ? `:p${n}` : text))
  return `/${[...named, ...(rest ? ['*'] : [])].join('/')}`
})
const pathOf = fc.array(fc.constantFrom('a', 'b', 'c', 'd', ''), { maxLength: 5 }).map((parts) => `/${parts.join('/')}`)

/** The same rule, said by regular expressions. */
function expressionOf(pattern: string): RegExp {
  if (pattern === '/*') return /^\/(?<rest>.*)$/
  const source = pattern.replace(/\/\*$/, '(?:/(?<rest>.*))?').replace(/:(\w+)/g, '(?<$1>[^/]+)')
  return new RegExp(`^${source}$`)
}

describe('paths', () => {
  test('a path fits just the patterns whose expression it fits', () => {
    fc.assert(
      fc.property(fc.uniqueArray(patternOf, { maxLength: 8 }), pathOf, (patterns, path) => {
        const trie = new RouteTrie(patterns.map((pattern) => ({ pattern, value: pattern })))
        const seen = new Set<string>()
        trie.find(path, (pattern) => {
          seen.add(pattern)
          return false
        })
        expect([...seen].sort()).toEqual(patterns.filter((pattern) => expressionOf(pattern).test(path)).sort())
      }),
      { numRuns: 500 },
    )
  })

  test('what was taken, filled in again, is the path', () => {
    fc.assert(
      fc.property(patternOf, pathOf, (pattern, path) => {
        const found = new RouteTrie([{ pattern, value: pattern }]).find(path, all)
        if (found === null) return
        const filled = rewritePath(pattern, found.params)
        // `/a/*` fits `/a` as well, with nothing left for the rest.
        expect([path, `${path}/`]).toContain(filled)
      }),
    )
  })

  test('literal before parameter before the rest, whatever the order in which they were made', () => {
    const patterns = ['/*', '/a/*', '/a/:id', '/a/b', '/:x/b']
    for (const order of [patterns, patterns.toReversed()]) {
      const trie = new RouteTrie(order.map((pattern) => ({ pattern, value: pattern })))
      expect(trie.find('/a/b', all)?.value).toBe('/a/b')
      expect(trie.find('/a/c', all)).toMatchObject({ value: '/a/:id', params: { id: 'c' } })
      expect(trie.find('/a/c/d', all)).toMatchObject({ value: '/a/*', params: { '*': 'c/d' } })
      expect(trie.find('/z/b', all)?.value).toBe('/:x/b')
      expect(trie.find('/z', all)).toMatchObject({ value: '/*', params: { '*': 'z' } })
    }
  })

  test('a parameter named like a property of objects is one like any other', () => {
    const trie = new RouteTrie([{ pattern: '/:__proto__/:constructor', value: 1 }])
    expect(Object.entries(trie.find('/a/b', all)!.params)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ])
  })

  test.each([
    ...['/a/../b', '/a/..', '/./a', '/a/%2e%2e/b', '/a/.%2E', '/a/..;/b', '/a%2fb', '/a%2Fb', '/a%5cb', '/a\\b'],
    ...['/a%00', '/a%0d%0ab', '/a//b', '/a%252fb', '/a%', '/a%zz', '/ä', '/a b', '/a#b'],
  ])('%s can be read in two ways', (path) => {
    expect(isUnambiguous(path)).toBe(false)
  })

  test.each(['/', '/a/b', '/a.b/c..d', '/a%20b', '/...', '/~x/@y/$z', '/a;v=1/b'])('%s cannot', (path) => {
    expect(isUnambiguous(path)).toBe(true)
  })
})

describe('routes', () => {
  const route = (name: string, match: object): { definition: WriteGatewayRoute } => ({
    definition: writeGatewayRouteSchema.parse({
      name,
      match: { path: '/x', ...match },
      targets: [{ name: 't', upstreams: [{ name: 'u', url: 'https://example.org' }] }],
    }),
  })
  const request = { method: 'GET', path: '/x', host: 'a.example.org', headers: {} }
  const find = (table: RouteTable<{ definition: WriteGatewayRoute }>, more: object) =>
    table.find({ ...request, ...more })?.value.definition.name

  test('are told apart by method, host and headers; who asks for more comes first', () => {
    const table = new RouteTable([
      route('plain', {}),
      route('posts', { methods: ['POST'] }),
      route('below', { hosts: ['*.example.org'] }),
      route('exact', { hosts: ['a.example.org'] }),
      route('beta', { headers: { 'x-version': 'beta' } }),
      route('any-beta', { headers: { 'x-beta': null } }),
    ])
    expect(find(table, {})).toBe('exact')
    expect(find(table, { host: 'b.example.org' })).toBe('below')
    expect(find(table, { host: 'example.org' })).toBe('plain')
    expect(find(table, { host: 'evil-example.org' })).toBe('plain')
    expect(find(table, { host: 'x', method: 'POST' })).toBe('posts')
    expect(find(table, { headers: { 'x-version': 'beta' } })).toBe('beta')
    expect(find(table, { headers: { 'x-version': 'other' }, host: '' })).toBe('plain')
    expect(find(table, { headers: { 'x-beta': '' } })).toBe('any-beta')
  })

  test('one that is off is not there', () => {
    const off = route('off', {})
    expect(new RouteTable([{ definition: { ...off.definition, enabled: false } }]).find(request)).toBeNull()
  })

  test.each([
    ['Example.ORG:8080', 'example.org'],
    ['example.org.', 'example.org'],
    [undefined, ''],
  ])('the host of %s is %s', (header, host) => {
    expect(hostNameOf(header)).toBe(host)
  })

  test.each(['a', '/a/../b', '/:x/:x', '/*/a', '/a b', '/a//b', '/:', '/a:b*'])('%s is no pattern', (path) => {
    expect(writeGatewayRouteSchema.shape.match.safeParse({ path }).success).toBe(false)
  })
})
