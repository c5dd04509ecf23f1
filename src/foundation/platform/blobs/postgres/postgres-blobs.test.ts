import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { eachDatabase } from '../../../../../test/support/databases.ts'
import { asId, type TenantId } from '../../../kernel/ids.ts'
import { sql } from '../../database/sql.ts'
import { collect } from '../blobs.fixture.ts'
import { createPostgresBlobs } from './postgres-blobs.ts'

const key = 'default/artifacts/one'
const large = 3_000_000

eachDatabase(
  'blobs in tables',
  (use) => {
    const open = () => createPostgresBlobs({ database: use().db })

    test('a blob belongs to the tenant of its key, whatever else is asked for', async () => {
      const store = open()
      await store.put(key, randomBytes(10))
      expect(await store.find('other/artifacts/one')).toBeNull()
      const stranger = use().db.forTenant(asId<TenantId>('other'))
      expect(await stranger.read((tx) => tx.query(sql`select * from blobs`))).toEqual([])
    })

    test('an upload is not seen before it is whole, and holds no transaction open while its source rests', async () => {
      const store = open()
      await store.put(key, Buffer.from('before'))
      const seen: unknown[] = []
      await store.put(
        key,
        (async function* () {
          yield randomBytes(large)
          seen.push(
            (await collect((await store.get(key)).body)).toString(),
            await use().owner('select count(*)::int from blobs'),
          )
          // Longer than a transaction may idle.
          await new Promise((resolve) => setTimeout(resolve, 400))
          yield randomBytes(large)
        })(),
      )
      expect(seen[0]).toBe('before')
      expect((await store.find(key))?.bytes).toBe(2 * large)
      const rows = await use().owner<{ key: string }>('select distinct key from blobs')
      expect(rows).toEqual([{ key: 'artifacts/one' }])
    })

    test('a blob that is replaced or damaged while it is read is an error, not a mixture', async () => {
      const store = open()
      for (const damage of [
        () => store.put(key, randomBytes(large)),
        () => store.delete(key),
        () => use().owner(`delete from blobs where chunk = 9`),
      ]) {
        await store.put(key, randomBytes(large))
        const { body } = await store.get(key)
        let chunks = 0
        const reading = (async () => {
          for await (const _ of body) if (chunks++ === 0) await damage()
        })()
        await expect(reading).rejects.toMatchObject({ code: 'blob-corrupt' })
      }
    })

    test('what a killed upload left is removed when it is old', async () => {
      const store = open()
      await store.put(key, randomBytes(10))
      const first = store.put(
        'default/killed',
        (async function* () {
          yield randomBytes(large)
          // As a kill would: no code of ours runs any more.
          await use().owner(
            `update blobs set key = 'killed?up_old', stored_at = now() - interval '2 days' where key like 'killed?%'`,
          )
          throw new Error('killed')
        })(),
      )
      await expect(first).rejects.toThrow('killed')
      expect(await use().owner(`select from blobs where key like '%?%'`)).not.toEqual([])
      const hourAgo = new Date(Date.now() - 3_600_000)
      expect(await store.removeRemains(hourAgo)).toBe(1)
      expect(await store.removeRemains(hourAgo)).toBe(0)
      expect(await use().owner(`select from blobs where key like '%?%'`)).toEqual([])
      expect(await store.find(key)).not.toBeNull()
    })

    test('finding and listing use the index of whole blobs', async () => {
      await use().owner(`insert into blobs (tenant_id, key, chunk, bytes, size, sha256, stored_at)
      select 'default', 'artifacts/' || n, c, '', 1, 'x', now() from generate_series(1, 3000) n, generate_series(-1, 8) c`)
      await use().owner('analyze blobs')
      const plan = await use().owner<{ 'QUERY PLAN': string }>(`explain select key from blobs
      where tenant_id = 'default' and chunk = -1 and size is not null and key >= 'artifacts/1' and key < 'artifacts/2' and key > ''
      order by key limit 500`)
      expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toContain('blobs_whole')
    })
  },
  { idleInTransactionMs: 150 },
)
