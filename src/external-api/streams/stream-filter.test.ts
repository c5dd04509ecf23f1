import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { LoggedEvent } from '../../foundation/runtime/event-log.ts'
import { createEncodedBatches } from './encoded-batches.ts'
import { isCustomType, typeFilter } from './event-types-contract.ts'
import { subjectOf } from './nats/subjects.ts'
import { filterKey, streamFilter } from './stream-filter.ts'

const tenants = ['a', 'b'] as TenantId[]
const word = fc.constantFrom('task', 'run', 'agent', 'deploy')
const event: fc.Arbitrary<LoggedEvent> = fc.record({
  tenant: fc.constantFrom(...tenants),
  type: fc.tuple(word, fc.constantFrom('started', 'ended')).map((parts) => parts.join('.')),
  subject: fc.record({ kind: word, id: fc.constantFrom('x', 'y/z'), rev: fc.nat() }),
  runId: fc.constantFrom(null, 'run_1', 'run_2'),
  at: fc.constant(new Date(0)),
  data: fc.constantFrom(null, { agent: 'agt_1' }, { agent: 7 }, [1], 'text'),
  tick: fc.nat(9),
  seq: fc.nat(),
})
const filter = fc.record(
  {
    types: fc.constantFrom('', 'task.*', 'run.ended', 'task.started, agent.*', '*'),
    run: fc.constantFrom('run_1', 'run_9'),
    agent: fc.constantFrom('agt_1', 'x'),
    subject: fc.constantFrom('task', 'task/x', 'run/y/z'),
  },
  { requiredKeys: [] },
)

test('a filter never lets an event of another tenant through, and each further field lets through no more', () => {
  fc.assert(
    fc.property(fc.array(event), filter, fc.constantFrom(...tenants), (events, wanted, tenant) => {
      const matches = streamFilter(tenant, wanted)
      const found = events.filter(matches)
      expect(found.every((one) => one.tenant === tenant)).toBe(true)
      for (const name of Object.keys(wanted) as (keyof typeof wanted)[]) {
        const alone = streamFilter(tenant, { [name]: wanted[name] })
        expect(found.every(alone)).toBe(true)
      }
      const all = Object.entries(wanted).map(([name, value]) => streamFilter(tenant, { [name]: value }))
      const own = events.filter((one) => one.tenant === tenant && all.every((fits) => fits(one)))
      expect(found).toEqual(own)
    }),
  )
})

test('readers share bytes only where filter, tenant and batch are the same', () => {
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 5 }), filter, filter, (batch, one, other) => {
      const encoded = createEncodedBatches()
      const key = filterKey(tenants[0]!, one)
      const bytes = encoded.sse(key, batch, 1)
      expect(encoded.sse(key, [...batch], 1)).toBe(bytes)
      expect(encoded.sse(filterKey(tenants[1]!, one), batch, 1)).not.toBe(bytes)
      if (JSON.stringify(one) !== JSON.stringify(other)) expect(filterKey(tenants[0]!, other)).not.toBe(key)
      const text = Buffer.from(bytes).toString()
      expect(text.split('\n\n').filter((part) => part !== '')).toHaveLength(batch.length)
      expect(text.match(/^id: /gm)).toHaveLength(batch.length)
    }),
  )
})

test('types of the platform cannot be published, however they are written', () => {
  for (const type of [
    'run.succeeded',
    'task.x',
    'webhook-delivery.dead',
    'webhook-x.y',
    'tenant.deleted',
    'leanvibe.x',
  ]) {
    expect([type, isCustomType(type)]).toEqual([type, false])
  }
  for (const type of ['', 'x', '.x', 'x.', 'X.y', 'x y.z', 'x..y', 'a.*', 'a.>', 'a.b.c.d.e.f.g']) {
    expect([type, isCustomType(type)]).toEqual([type, false])
  }
  expect(isCustomType('deploy.finished')).toBe(true)
  expect(isCustomType('runs.finished')).toBe(true)
})

test('a list of types means any of them', () => {
  expect(typeFilter([])('a.b')).toBe(true)
  expect(typeFilter(['*'])('a.b')).toBe(true)
  expect(typeFilter(['a.*'])('ab.c')).toBe(false)
  expect(typeFilter(['a.*'])('a.b.c')).toBe(true)
  expect(typeFilter(['a.b'])('a.b.c')).toBe(false)
})

test('no tenant and no type can reach beyond its own subjects', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (tenant, type) => {
      const subject = subjectOf({ tenant: tenant as TenantId, type })
      expect(subject).toMatch(/^lv(\.[A-Za-z0-9_-]+){2,}$/)
      expect(subject.split('.')[1]).toHaveLength(Math.max(1, tenant.length))
    }),
  )
})
