import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pgbouncerBinary, startPgbouncer } from '../../../../../test/support/pgbouncer.ts'
import { systemBinaries } from '../../../../../test/support/postgres-binaries.ts'
import { type PostgresServer, startPostgresServer } from '../../../../../test/support/postgres-server.ts'
import { describeWhen, testWhen } from '../../../../../test/support/when.ts'
import { startWireProxy, type WireProxy } from '../../../../../test/support/wire-proxy.ts'
import { isAppError } from '../../../kernel/errors.ts'
import { asId, type TenantId } from '../../../kernel/ids.ts'
import type { Database, Tx } from '../database.ts'
import { announceLongThought } from '../long-thought.ts'
import { type CommonOptions, openDatabase, type PostgresOptions } from '../open-database.ts'
import { sql } from '../sql.ts'

const migrations = join(import.meta.dirname, '..', 'test-migrations')
const a = asId<TenantId>('tenant_a')
const insert = (id: string) => sql`insert into things (tenant_id, id) values (${a}, ${id})`
const withCode = (code: string) => (error: unknown) => isAppError(error, code)

let server: PostgresServer
let proxy: WireProxy

beforeAll(async () => {
  server = await startPostgresServer({ durable: true })
  proxy = await startWireProxy(server.port)
})

afterAll(async () => {
  await proxy.close()
  await server.destroy()
})

const open = (options: Partial<PostgresOptions & CommonOptions> = {}) =>
  openDatabase({ kind: 'postgres', url: server.url(), migrations, ...options })

const proxied = () => Object.assign(new URL(server.url()), { port: String(proxy.port) }).href

async function asSuperuser<T>(fn: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(server.url())
  await client.connect()
  try {
    return await fn(client)
  } finally {
    await client.end()
  }
}

/** Runs `fn` until it succeeds; fails with its last error after the deadline. */
async function eventually<T>(fn: () => Promise<T>, ms = 40_000): Promise<T> {
  const deadline = performance.now() + ms
  for (;;) {
    try {
      return await fn()
    } catch (error) {
      if (performance.now() > deadline) throw error
      await sleep(20)
    }
  }
}

const exists = async (db: Database, id: string) =>
  (await db.forTenant(a).read((tx) => tx.query(sql`select 1 from things where id = ${id}`))).length === 1

test('many processes may migrate at once', async () => {
  await asSuperuser((client) => client.query('create database fresh'))
  const databases = await Promise.all(Array.from({ length: 6 }, () => open({ url: server.url('fresh') })))
  await Promise.all(databases.map((db) => db.forTenant(a).read((tx) => tx.query(sql`select * from things`))))
  await Promise.all(databases.map((db) => db.close()))
})

test('versions that run side by side: what a newer one only added is no hindrance, what it changed is', async () => {
  await asSuperuser((client) => client.query('create database versions'))
  const url = server.url('versions')
  const older = await open({ url })
  const newer = await mkdtemp(join(tmpdir(), 'leanvibe-migrations-'))
  try {
    await cp(migrations, newer, { recursive: true })
    await writeFile(
      join(newer, '0002_more.sql'),
      '-- risk: low: adds a table\ncreate table more (id text primary key);\n',
    )
    // Told not to migrate, the newer program waits for whoever may.
    await expect(open({ url, migrations: newer, migrate: false })).rejects.toSatisfy(withCode('database-behind'))
    await using next = await open({ url, migrations: newer })
    await using told = await open({ url, migrations: newer, migrate: false })
    await older.forTenant(a).write((tx) => tx.execute(insert('old')))
    expect(await exists(next, 'old')).toBe(true)
    expect(await exists(told, 'old')).toBe(true)
    // The older one goes on, and also starts again.
    for (const migrate of [true, false]) {
      await using again = await open({ url, migrate })
      expect(await exists(again, 'old')).toBe(true)
    }
    await writeFile(join(newer, '0003_less.sql'), '-- risk: medium: drops what 0002 replaced\ndrop table more;\n')
    await (await open({ url, migrations: newer })).close()
    for (const migrate of [true, false]) {
      await expect(open({ url, migrate })).rejects.toSatisfy(withCode('database-ahead'))
    }
  } finally {
    await older.close()
    await rm(newer, { recursive: true })
  }
})

test('an empty database is refused where nothing may be migrated', async () => {
  await asSuperuser((client) => client.query('create database empty'))
  await expect(open({ url: server.url('empty'), migrate: false })).rejects.toSatisfy(withCode('database-behind'))
})

test('two writers that deadlock both get through', async () => {
  await using db = await open()
  await db
    .forTenant(a)
    .write((tx) => tx.execute(sql`insert into things (tenant_id, id) values (${a}, 'd1'), (${a}, 'd2')`))
  const met = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  const runs: [number, number] = [0, 0]
  const writer = (me: 0 | 1) =>
    db.forTenant(a).write(async (tx) => {
      const [first, second] = me === 0 ? ['d1', 'd2'] : ['d2', 'd1']
      await tx.execute(sql`update things set n = n + 1 where id = ${first}`)
      met[me].resolve()
      if (runs[me]++ === 0) await met[me === 0 ? 1 : 0].promise
      await tx.execute(sql`update things set n = n + 1 where id = ${second}`)
    })
  await Promise.all([writer(0), writer(1)])
  expect(runs[0] + runs[1]).toBe(3)
  const rows = await db.forTenant(a).read((tx) => tx.query(sql`select n from things where id in ('d1', 'd2')`))
  expect(rows).toEqual([{ n: 2 }, { n: 2 }])
})

test('waiting for a lock, a statement or a connection has an end', async () => {
  await using db = await open({
    lockTimeoutMs: 100,
    statementTimeoutMs: 300,
    idleInTransactionMs: 5_000,
    poolSize: 1,
    connectTimeoutMs: 400,
  })
  await db.forTenant(a).write((tx) => tx.execute(insert('lock')))
  await asSuperuser(async (client) => {
    await client.query(`begin; select * from things where id = 'lock' for update`)
    const write = db.forTenant(a).write((tx) => tx.execute(sql`update things set n = 1 where id = 'lock'`))
    await expect(write).rejects.toSatisfy(withCode('database-busy'))
    await client.query('rollback')
  })
  const slow = db.forTenant(a).read((tx) => tx.query(sql`select pg_sleep(5)`))
  await expect(slow).rejects.toSatisfy(withCode('database-busy'))
  const blocker = Promise.withResolvers<void>()
  const holder = db.forTenant(a).read(async (tx) => {
    await tx.query(sql`select 1`)
    await blocker.promise
  })
  await expect(db.forTenant(a).read((tx) => tx.query(sql`select 1`))).rejects.toSatisfy(withCode('database-busy'))
  blocker.resolve()
  await holder
})

test('a connection that breaks before COMMIT leaves nothing behind, and the next transaction works', async () => {
  await using db = await open({ url: proxied() })
  const write = db.forTenant(a).write(async (tx) => {
    await tx.execute(insert('broken'))
    proxy.breakAll()
    await tx.execute(insert('broken too'))
  })
  await expect(write).rejects.toSatisfy(
    (error) => isAppError(error, 'database-unreachable') && error.kind === 'unavailable' && error.retry === 'later',
  )
  await eventually(async () => expect(await exists(db, 'broken')).toBe(false))
})

test.each(['lose', 'deliver'] as const)('COMMIT without an answer is unknown (%s)', async (how) => {
  await using db = await open({ url: proxied() })
  const id = `commit ${how}`
  const hooks: string[] = []
  const write = db.forTenant(a).write(async (tx) => {
    tx.afterCommit(() => hooks.push('ran'))
    await tx.execute(insert(id))
    proxy.breakAt('commit', how)
  })
  await expect(write).rejects.toSatisfy(withCode('commit-unknown'))
  expect(hooks).toEqual([])
  await using direct = await open()
  await eventually(async () => expect(await exists(direct, id)).toBe(how === 'deliver'))
})

test('a commit behind the last statement is as unknown without an answer', async () => {
  for (const how of ['lose', 'deliver'] as const) {
    await using db = await open({ url: proxied() })
    const id = `last ${how}`
    const write = db.forTenant(a).write(async (tx) => {
      await tx.query(sql`select 1`)
      proxy.breakAt('commit', how)
      await tx.last(insert(id))
    })
    await expect(write).rejects.toSatisfy(withCode('commit-unknown'))
    await using direct = await open()
    await eventually(async () => expect(await exists(direct, id)).toBe(how === 'deliver'))
  }
})

test('a server that crashes and comes back is used again, with nothing committed lost', async () => {
  await using db = await open({ connectTimeoutMs: 1_000 })
  const seen: string[] = []
  db.listen('after the gap', (payload) => seen.push(payload))
  await db.forTenant(a).write((tx) => tx.execute(insert('kept')))
  const hit = db.forTenant(a).write(async (tx) => {
    await tx.execute(insert('lost'))
    await server.stop('immediate')
    await tx.execute(insert('lost too'))
  })
  await expect(hit).rejects.toSatisfy(withCode('database-unreachable'))
  await expect(db.forTenant(a).read((tx) => tx.query(sql`select 1`))).rejects.toSatisfy(
    withCode('database-unreachable'),
  )
  await server.start()
  expect(await eventually(() => exists(db, 'kept'))).toBe(true)
  expect(await exists(db, 'lost')).toBe(false)
  // Hints may have been lost meanwhile, so every channel gets one.
  await eventually(async () => expect(seen).toContain(''))
  await using other = await open()
  await eventually(async () => {
    other.notify('after the gap', 'again')
    expect(seen).toContain('again')
  })
})

test('a kill -9 of the server is no different', async () => {
  await using db = await open({ connectTimeoutMs: 1_000 })
  await db.forTenant(a).write((tx) => tx.execute(insert('kept 9')))
  await server.stop('kill')
  await server.start()
  expect(await eventually(() => exists(db, 'kept 9'))).toBe(true)
})

test('hints travel between processes and come back to none', async () => {
  await using one = await open()
  await using two = await open()
  const seen: string[] = []
  const arrived = Promise.withResolvers<void>()
  one.listen('x', (payload) => seen.push(`one ${payload}`))
  two.listen('x', (payload) => {
    seen.push(`two ${payload}`)
    if (payload === 'end') arrived.resolve()
  })
  await eventually(async () => {
    const listening = await asSuperuser((client) =>
      client.query(`select count(*)::int as n from pg_stat_activity where query like 'listen%'`),
    )
    expect(listening.rows[0].n).toBe(2)
  })
  one.notify('x', 'hello')
  one.notify('x', 'end')
  await arrived.promise
  expect(seen.sort()).toEqual(['one end', 'one hello', 'two end', 'two hello'])
})

test('every session of the pools carries its role and its limits', async () => {
  await using db = await open({ statementTimeoutMs: 12_345 })
  const settings = sql`select current_user::text as role, current_setting('plan_cache_mode') as plan,
    current_setting('idle_in_transaction_session_timeout') as idle, current_setting('lock_timeout') as lock,
    current_setting('statement_timeout') as statement, current_setting('tcp_keepalives_idle') as keepalive`
  const limits = { idle: '1s', lock: '5s', statement: '12345ms', keepalive: '5' }
  expect(await db.forTenant(a).read((tx) => tx.query(settings))).toEqual([
    { role: 'leanvibe_app', plan: 'auto', ...limits },
  ])
  expect(await db.asSystem('test').read((tx) => tx.query(settings))).toEqual([
    { role: 'leanvibe_system', plan: 'force_generic_plan', ...limits },
  ])
})

test('a transaction that said so may compute for longer than one may be idle', async () => {
  await using db = await open()
  const think = (say: (tx: Tx) => void) =>
    db.forTenant(a).write(
      async (tx) => {
        say(tx)
        await tx.query(sql`select 1`)
        for (const until = performance.now() + 1_300; performance.now() < until; );
        return tx.query(sql`select 2 as two`)
      },
      { retries: 0 },
    )
  await expect(think(() => {})).rejects.toThrow()
  expect(await think(announceLongThought)).toEqual([{ two: 2 }])
})

test('a role that bypasses the policies is refused at start', async () => {
  await (await open()).close()
  for (const change of ['bypassrls', 'superuser']) {
    await asSuperuser((client) => client.query(`alter role leanvibe_system ${change}`))
    await expect(open()).rejects.toSatisfy(withCode('role-bypasses-policies'))
    await asSuperuser((client) => client.query(`alter role leanvibe_system no${change}`))
  }
  await (await open()).close()
})

test('an unreachable server and a wrong password are said so', async () => {
  await expect(open({ url: 'postgres://nobody@127.0.0.1:1/none' })).rejects.toSatisfy(withCode('database-unreachable'))
  const wrong = Object.assign(new URL(server.url()), { password: 'wrong' }).href
  await expect(open({ url: wrong })).rejects.toThrow(/password/)
})

test('a server that stops answering is given up after the limit', async () => {
  await using db = await open({ url: proxied(), answerTimeoutMs: 300 })
  const read = db.forTenant(a).read(async (tx) => {
    await tx.query(sql`select 1`)
    proxy.swallow(true)
    await tx.query(sql`select 1`)
  })
  await expect(read).rejects.toSatisfy(withCode('database-unreachable'))
  proxy.swallow(false)
  await eventually(() => exists(db, 'x'))
})

test('options in the URL are kept beside ours', async () => {
  const url = Object.assign(new URL(server.url()), { search: '?options=-c%20work_mem%3D7MB' }).href
  await using db = await open({ url })
  const settings = sql`select current_setting('work_mem') as memory, current_user::text as role`
  expect(await db.forTenant(a).read((tx) => tx.query(settings))).toEqual([{ memory: '7MB', role: 'leanvibe_app' }])
})

test('closing waits for what is under way and refuses what comes after', async () => {
  const db = await open({ poolSize: 1 })
  const slow = () => db.forTenant(a).read((tx) => tx.query(sql`select pg_sleep(0.1)::text as slept`))
  const underWay = [slow(), slow(), slow()]
  const closed = db.close()
  await expect(slow()).rejects.toSatisfy(withCode('database-closed'))
  expect(await Promise.all(underWay)).toHaveLength(3)
  await closed
})

test('an application role that inherits the system role is refused at start', async () => {
  await (await open()).close()
  await asSuperuser((client) => client.query('grant leanvibe_system to leanvibe_app'))
  await expect(open()).rejects.toSatisfy(withCode('role-bypasses-policies'))
  await asSuperuser((client) => client.query('revoke leanvibe_system from leanvibe_app'))
})

test('an ordinary owner without superuser rights is enough', async () => {
  await asSuperuser(async (client) => {
    await client.query(`create role plain_owner login createrole password 'x'`)
    await client.query('grant leanvibe_app, leanvibe_system to plain_owner')
    await client.query('create database plain owner plain_owner')
  })
  const url = Object.assign(new URL(server.url('plain')), { username: 'plain_owner', password: 'x' }).href
  await using db = await open({ url })
  await db.forTenant(a).write((tx) => tx.execute(insert('x')))
  expect(await exists(db, 'x')).toBe(true)
})

testWhen(systemBinaries(15), 'PostgreSQL 15 is not installed')(
  'PostgreSQL 15 from the system serves as well',
  async () => {
    const old = await startPostgresServer({ binaries: systemBinaries(15)! })
    try {
      await using db = await open({ url: old.url() })
      await db.forTenant(a).write((tx) => tx.execute(insert('x')))
      expect(await exists(db, 'x')).toBe(true)
    } finally {
      await old.destroy()
    }
  },
)

describeWhen(pgbouncerBinary, 'PgBouncer is not installed')('behind PgBouncer', () => {
  test.each([true, false])(
    'session mode serves, whether or not it drops start-up options (%s)',
    async (ignoreOptions) => {
      const pooler = await startPgbouncer(server, 'session', ignoreOptions)
      try {
        await using db = await open({ url: pooler.url(), statementTimeoutMs: 4_321 })
        await db.forTenant(a).write((tx) => tx.execute(insert(`pooled ${ignoreOptions}`)))
        const settings = sql`select current_user::text as role, current_setting('statement_timeout') as timeout`
        expect(await db.forTenant(a).read((tx) => tx.query(settings))).toEqual([
          { role: 'leanvibe_app', timeout: '4321ms' },
        ])
        expect(await db.asSystem('test').read((tx) => tx.query(settings))).toEqual([
          { role: 'leanvibe_system', timeout: '4321ms' },
        ])
        const heard = Promise.withResolvers<string>()
        await using other = await open()
        db.listen('pooled', heard.resolve)
        await eventually(async () => {
          other.notify('pooled', 'x')
          expect(await Promise.race([heard.promise, sleep(50)])).toBe('x')
        })
      } finally {
        await pooler.stop()
      }
    },
  )

  test.each([true, false])('transaction mode is refused (options dropped: %s)', async (ignoreOptions) => {
    await (await open()).close()
    const pooler = await startPgbouncer(server, 'transaction', ignoreOptions)
    try {
      await expect(open({ url: pooler.url(), ownerUrl: server.url() })).rejects.toSatisfy(
        (error) => isAppError(error, 'pooler-unsupported') && error.message.includes('transaction mode'),
      )
    } finally {
      await pooler.stop()
    }
  })
})
