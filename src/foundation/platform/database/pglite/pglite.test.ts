import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { preparedImage } from '../../../../../test/support/databases.ts'
import { temporaryFolder } from '../../../../../test/support/postgres-server.ts'
import { testWhen } from '../../../../../test/support/when.ts'
import { isAppError } from '../../../kernel/errors.ts'
import { asId, type TenantId } from '../../../kernel/ids.ts'
import { findHolder } from '../../data-folder/folder-lock.ts'
import { openDatabase } from '../open-database.ts'
import { sql } from '../sql.ts'
import { openPgliteParts, pgliteMajor } from './open-pglite.ts'

const migrations = join(import.meta.dirname, '..', 'test-migrations')
const a = asId<TenantId>('tenant_a')
const insert = (id: string) => sql`insert into things (tenant_id, id) values (${a}, ${id})`
const ids = sql`select id from things order by id`
const withCode = (code: string) => (error: unknown) => isAppError(error, code)

let folder: string

beforeEach(async () => {
  folder = await temporaryFolder()
})

afterEach(() => rm(folder, { recursive: true, force: true }))

const open = async (where = folder, more: { readonly idleInTransactionMs?: number } = {}) =>
  openPgliteParts({
    ...{ kind: 'pglite', folder: where, migrations, image: await preparedImage(migrations), upkeepMs: 0 },
    ...more,
  })

test('what was committed is there again after closing and opening', async () => {
  const first = (await open()).database
  await first.forTenant(a).write((tx) => tx.execute(insert('x')))
  await first.close()
  expect(await findHolder(folder)).toBeUndefined()
  await using second = (await open()).database
  expect(await second.forTenant(a).read((tx) => tx.query(ids))).toEqual([{ id: 'x' }])
})

test('a folder in use is refused with the pid of its holder', async () => {
  await using _first = (await open()).database
  await expect(open()).rejects.toSatisfy(
    (error) => isAppError(error, 'data-folder-locked') && error.details.pid === process.pid,
  )
})

test('the major version is that of the embedded PostgreSQL, and another one is refused', async () => {
  const { database, backend } = await open()
  const version = await backend.asOwner(async ({ client }) => (await client.query('show server_version_num')).rows[0])
  expect(String(version.server_version_num).slice(0, 2)).toBe(pgliteMajor)
  await database.close()
  await writeFile(join(folder, 'pglite', 'PG_VERSION'), '17\n')
  await expect(open()).rejects.toSatisfy(withCode('data-folder-other-version'))
  expect(await findHolder(folder)).toBeUndefined()
})

test('kill -9 at any moment loses nothing that was committed', async () => {
  let committed = 0
  await (await open()).database.close()
  for (let round = 0; round < 4; round++) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'writer.fixture.ts'), folder, migrations], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const target = committed + 5 + Math.floor(Math.random() * 60)
    const reached = Promise.withResolvers<void>()
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text
      committed = Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1))
      if (committed >= target) reached.resolve()
    })
    await reached.promise
    const drained = once(child.stdout, 'end')
    await killed(child)
    await drained
    await using db = (await open()).database
    const rows = await db.forTenant(a).read((tx) => tx.query<{ n: number }>(sql`select n from things order by n`))
    expect(rows.length).toBeGreaterThanOrEqual(committed)
    expect(rows.map((row) => row.n)).toEqual(rows.map((_, index) => index + 1))
    committed = rows.length
  }
})

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

test('a worker that crashes fails what was under way, and the next transaction finds a new one', async () => {
  const { database: db, backend } = await open()
  await db.forTenant(a).write((tx) => tx.execute(insert('kept')))
  const hit = db.forTenant(a).write(async (tx) => {
    await tx.execute(insert('lost'))
    await backend.crash()
    await tx.execute(insert('lost too'))
  })
  await expect(hit).rejects.toSatisfy(withCode('embedded-database-failed'))
  expect(await db.forTenant(a).read((tx) => tx.query(ids))).toEqual([{ id: 'kept' }])
  await db.close()
})

test('a worker in memory takes its data along, so it stays failed', async () => {
  const { database: db, backend } = await open(':memory:')
  await backend.crash()
  await expect(db.forTenant(a).read((tx) => tx.query(ids))).rejects.toSatisfy(withCode('embedded-database-failed'))
  await db.close()
})

test('a folder that another process took over is given up at once', async () => {
  const { database: db, backend } = await open()
  backend.fail(new Error('taken over'))
  await expect(db.forTenant(a).read((tx) => tx.query(ids))).rejects.toThrow('taken over')
  await db.close()
})

test('a transaction that never gets to its first statement is ended too', async () => {
  await using db = (await open(':memory:', { idleInTransactionMs: 100 })).database
  const blocker = Promise.withResolvers<void>()
  const idle = db.forTenant(a).read(() => blocker.promise)
  const outcome = expect(idle).rejects.toSatisfy(withCode('transaction-idle'))
  expect(await db.forTenant(a).read((tx) => tx.query(ids))).toEqual([])
  await outcome
  blocker.resolve()
})

test('a transaction whose program computes between two statements is not idle', async () => {
  await using db = (await open(':memory:', { idleInTransactionMs: 100 })).database
  const rows = await db.forTenant(a).write(async (tx) => {
    await tx.execute(insert('x'))
    for (const until = performance.now() + 400; performance.now() < until; );
    return tx.query(ids)
  })
  expect(rows).toHaveLength(1)
})

test('closing waits for what came before', async () => {
  const db = (await open(':memory:')).database
  const underWay = [insert('x'), insert('y')].map((row) => db.forTenant(a).write((tx) => tx.execute(row)))
  const closed = db.close()
  expect(await Promise.all(underWay)).toEqual([1, 1])
  await closed
})

test('a closed database says so', async () => {
  const db = (await open(':memory:')).database
  await Promise.all([db.close(), db.close()])
  await expect(db.forTenant(a).read((tx) => tx.query(ids))).rejects.toSatisfy(withCode('database-closed'))
})

test('timers of the main thread stay on time while the database works', async () => {
  await using db = (await open(':memory:')).database
  let ticks = 0
  const timer = setInterval(() => {
    ticks += 1
  }, 5)
  await db.forTenant(a).read((tx) => tx.query(sql`select pg_sleep(0.5)`))
  clearInterval(timer)
  expect(ticks).toBeGreaterThan(25)
})

test('a crash while the data folder is being made leaves none, and the next start makes it', async () => {
  const bad = join(folder, 'bad.tar.gz')
  await writeFile(bad, 'not an image')
  const options = { kind: 'pglite', folder, migrations } as const
  await expect(openDatabase({ ...options, image: bad })).rejects.toSatisfy(withCode('data-folder-unusable'))
  expect((await readdir(folder)).filter((name) => name.startsWith('pglite'))).toEqual([])
  await (await openDatabase({ ...options, image: await preparedImage(migrations) })).close()
  expect(await readFile(join(folder, 'pglite', 'PG_VERSION'), 'utf8')).toContain(pgliteMajor)
})

/** A small file system of its own can only be had by root on Linux. */
const canMount = process.platform === 'linux' && process.getuid?.() === 0 && tryMount()

function tryMount(): boolean {
  try {
    execFileSync('/usr/bin/unshare', ['--mount', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

testWhen(canMount, 'only root can mount a small disk')(
  'a full disk is said so, and space that comes free is used',
  { timeout: 60_000 },
  async () => {
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=90m', 'tmpfs', folder])
    try {
      const { database: db } = await open()
      const ballast = join(folder, 'ballast')
      await writeFile(ballast, Buffer.alloc(30 * 1_048_576))
      const fill = (n: number) =>
        db.forTenant(a).write((tx) =>
          tx.execute(sql`insert into things (tenant_id, id, data)
          select ${a}, ${n} || '-' || g, jsonb_build_object('x', repeat(md5(g::text), 40)) from generate_series(1, 500) g`),
        )
      let committed = 0
      const failure = await (async () => {
        for (;;) {
          try {
            await fill(committed)
            committed += 1
          } catch (error) {
            // The statement that meets the full disk may be the COMMIT.
            if (!isAppError(error, 'commit-unknown')) return error
          }
        }
      })()
      expect(failure).toSatisfy(withCode('database-disk-full'))
      await rm(ballast)
      const [row] = await db.forTenant(a).read((tx) => tx.query<{ count: number }>(sql`select count(*) from things`))
      expect(row!.count).toBeGreaterThanOrEqual(committed * 500)
      await fill(1_000_000)
      await db.close()
    } finally {
      execFileSync('/bin/umount', [folder])
    }
  },
)
