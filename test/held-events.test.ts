import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openPlatform } from '../src/app/context.ts'
import { startServer } from '../src/app/server.ts'
import type { TenantId } from '../src/foundation/kernel/ids.ts'
import { readEnv } from '../src/foundation/platform/config/env.ts'
import { loadConfig } from '../src/foundation/platform/config/load-config.ts'
import { openPgliteParts } from '../src/foundation/platform/database/pglite/open-pglite.ts'
import { claimCursor } from '../src/foundation/runtime/cursors.ts'
import { appendEvents } from '../src/foundation/runtime/event-log.ts'
import { eventually } from '../src/foundation/runtime/log.fixture.ts'
import { insertTick } from '../src/foundation/runtime/ticker.ts'
import { scratchFolder } from './support/run-cli.ts'

const day = 86_400_000

test('a server warns of a durable reader that keeps old events, by its name and age', async () => {
  const scratch = scratchFolder('held-events')
  const data = join(scratch.path, 'data')
  await mkdir(data)
  const old = new Date(Date.now() - 40 * day)
  const { database, backend } = await openPgliteParts({ kind: 'pglite', folder: join(data, 'database') })
  await backend.asOwner(({ client }) => client.query('select make_event_partition($1)', [old]))
  const system = database.asSystem('test')
  await system.write((tx) => claimCursor(tx, 'abandoned', old))
  const tenant = 'default' as TenantId
  const event = { tenant, type: 'x.y', subject: { kind: 'x', id: 'x', rev: 1 }, runId: null, at: old }
  await database.forTenant(tenant).write((tx) => appendEvents(tx, [event]))
  await system.write((tx) => insertTick(tx, new Date()))
  await database.close()

  const warnings: { fields: object; message: string }[] = []
  const logger = {
    debug: () => {},
    warn: (fields: object, message: string) => void warnings.push({ fields, message }),
    error: (fields: object) => expect.fail(JSON.stringify(fields)),
  }
  const loaded = await loadConfig({ cwd: scratch.path, env: readEnv({}), flags: { data } })
  const server = await startServer(loaded, { openPlatform, logger })
  try {
    await eventually(() => warnings.length > 0)
    expect(warnings[0]?.message).toMatch(/the durable cursor abandoned .* last moved 960h/)
    expect(warnings[0]?.fields).toMatchObject({ cursor: 'abandoned', days: 1 })
  } finally {
    await server.close()
    await rm(scratch.path, { recursive: true, force: true })
  }
})
