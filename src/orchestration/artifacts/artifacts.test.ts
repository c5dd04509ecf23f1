import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { TestPlatform, tenant } from '../../../test/support/platform.ts'
import { asId, type RunId, type TaskId, type TenantId } from '../../foundation/kernel/ids.ts'
import { openBlobStore } from '../../foundation/platform/blobs/index.ts'
import { bearerTokenOf } from '../../foundation/platform/http/bearer-token.ts'
import { createServer } from '../../foundation/platform/http/server.ts'
import { blobsOfCheckpoints } from '../checkpoints/checkpoint-blobs.ts'
import type { ArtifactRef } from '../runners/exchange-contract.ts'
import { artifactRoutes } from './artifacts-routes.ts'
import { artifactsOfRun } from './artifacts-store.ts'
import { startBlobSweep, sweepBlobs } from './blob-sweep.ts'
import { createArtifactSink } from './store-artifact.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'leanvibe-artifacts-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const signal = new AbortController().signal
const owner = { tenant, runId: asId<RunId>('run_x'), taskId: asId<TaskId>('task_x') }

eachDatabase('artifacts', (use) => {
  const open = () => {
    const blobs = openBlobStore({ location: null, dataFolder: folder, database: use().db, variable: () => undefined })
    return { blobs, sink: createArtifactSink({ blobs }) }
  }

  /** The answer of the route, or null where the connection was cut. */
  async function get(id: string, who = tenant): Promise<{ status: number; headers: Headers; body: Buffer | null }> {
    const principal = { id: 'me', tenant: who, permissions: ['artifacts:read'] }
    const routes = artifactRoutes(use().db, open().blobs)
    const server = createServer({ routes, authenticate: bearerTokenOf('t', principal) })
    const { url } = await server.listen()
    try {
      const response = await fetch(`${url}/api/v1/artifacts/${id}`, { headers: { authorization: 'Bearer t' } })
      const body = await response.bytes().then(
        (bytes) => Buffer.from(bytes),
        () => null,
      )
      return { status: response.status, headers: response.headers, body }
    } finally {
      await server.close({ graceMs: 100 })
    }
  }

  /** Runs a task that hands in these artifacts; returns the ids they got, in order. */
  async function handIn(artifacts: readonly ArtifactRef[]): Promise<{ runId: RunId; ids: string[] }> {
    const platform = new TestPlatform(use().db)
    await platform.register()
    const run = await platform.start('name: a\nsteps:\n  a: { command: [a] }\n')
    const { assignments } = await platform.exchange([])
    await platform.exchange([{ ...platform.report(assignments[0]!, { output: {} }), artifacts }])
    const rows = await use()
      .db.forTenant(tenant)
      .read((tx) => artifactsOfRun(tx, tenant, run.id))
    return { runId: run.id, ids: artifacts.map(({ name }) => rows.find((row) => row.name === name)!.id) }
  }

  const ref = (name: string, stored: Pick<ArtifactRef, 'bytes' | 'sha256' | 'blob'>, mediaType = 'text/plain') => ({
    name,
    mediaType,
    ...stored,
  })

  test('a file that a task handed in comes back over HTTP, as an attachment', async () => {
    const { sink } = open()
    const content = randomBytes(700_000)
    await writeFile(join(folder, 'report.bin'), content)
    const stored = await sink.store(owner, { path: join(folder, 'report.bin') }, signal)
    expect(stored).toMatchObject({ bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') })
    const { ids } = await handIn([
      ref('a "report" é.bin', stored, 'application/zip; x=1'),
      ref('odd', await sink.store(owner, { data: Buffer.from('<script>') }, signal), 'text/html\r\nx: y'),
      ref('empty', await sink.store(owner, { data: new Uint8Array() }, signal)),
    ])
    const answer = await get(ids[0]!)
    expect(answer.status).toBe(200)
    expect(answer.body!.equals(content)).toBe(true)
    expect(answer.headers.get('content-type')).toBe('application/zip; x=1')
    expect(answer.headers.get('content-length')).toBe(String(content.length))
    expect(answer.headers.get('content-disposition')).toContain('attachment')
    const odd = await get(ids[1]!)
    expect([String(odd.body), odd.headers.get('content-type')]).toEqual(['<script>', 'application/octet-stream'])
    expect((await get(ids[2]!)).body).toHaveLength(0)
    expect((await get('art_nowhere')).status).toBe(404)
    expect((await get(ids[0]!, asId<TenantId>('stranger'))).status).toBe(404)
  })

  test('damaged content is never handed out whole, nor that of another tenant', async () => {
    const { blobs, sink } = open()
    const flipped = await sink.store(owner, { data: Buffer.alloc(600_000, 'a') }, signal)
    const shorter = await sink.store(owner, { data: Buffer.alloc(600_000, 'b') }, signal)
    const foreign = await sink.store(
      { ...owner, tenant: asId<TenantId>('other') },
      { data: Buffer.from('secret') },
      signal,
    )
    const { ids } = await handIn([
      ref('flipped', flipped),
      ref('shorter', shorter),
      ref('foreign', foreign),
      ref('gone', { ...flipped, blob: 'default/artifacts/gone' }),
    ])
    await blobs.put(flipped.blob, Buffer.concat([Buffer.alloc(599_999, 'a'), Buffer.from('b')]))
    await blobs.put(shorter.blob, Buffer.alloc(10, 'b'))
    expect((await get(ids[0]!)).body).toBeNull()
    expect((await get(ids[1]!)).status).toBe(500)
    const stolen = await get(ids[2]!)
    expect(stolen.status).toBe(500)
    expect(String(stolen.body)).not.toContain('secret')
    expect((await get(ids[3]!)).status).toBe(404)
  })

  test('a file over the limit is refused', async () => {
    const { blobs } = open()
    const sink = createArtifactSink({ blobs, maxBytes: 1_000 })
    await expect(sink.store(owner, { data: randomBytes(1_001) }, signal)).rejects.toMatchObject({
      code: 'blob-too-large',
    })
    await expect(sink.store(owner, { path: join(folder, 'none') }, signal)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('a sweep deletes what nobody refers to and is old, and nothing else', async () => {
    const { blobs, sink } = open()
    const put = () => sink.store(owner, { data: randomBytes(10) }, signal)
    const [artifact, checkpoint, orphan] = [await put(), await put(), await put()]
    await blobs.put('default/elsewhere/x', randomBytes(10))
    await blobs.put('other/artifacts/orphan', randomBytes(10))
    await handIn([ref('kept', artifact)])
    const document = { artifacts: [{ blob: checkpoint.blob }, { blob: 'default/artifacts/other' }] }
    await use().owner(
      `insert into checkpoints (tenant_id, id, name, run_id, reason, document, created_at)
       values ('default', 'cp_1', 'c', 'run_gone', 'manual', $1, now())`,
      [JSON.stringify(document)],
    )
    const options = { database: use().db, blobs, references: [blobsOfCheckpoints] }
    expect(await sweepBlobs(options, signal)).toEqual({ seen: 4, deleted: 0, remains: 0 })
    const rounds: unknown[] = []
    const onError = (error: unknown) => expect(error).toBeUndefined()
    const swept = Promise.withResolvers<void>()
    const onRound = (round: unknown) => {
      rounds.push(round)
      swept.resolve()
    }
    const loop = startBlobSweep({ ...options, minAgeMs: -60_000, onRound, onError })
    await swept.promise
    await loop.stop()
    expect(rounds).toEqual([{ seen: 4, deleted: 2, remains: 0 }])
    expect(await blobs.find(orphan.blob)).toBeNull()
    expect(await blobs.find('other/artifacts/orphan')).toBeNull()
    for (const key of [artifact.blob, checkpoint.blob, 'default/elsewhere/x'])
      expect(await blobs.find(key)).not.toBeNull()
  })
})
