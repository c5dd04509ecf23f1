import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { temporaryFolder } from '../../../../test/support/postgres-server.ts'
import { testWhen } from '../../../../test/support/when.ts'
import { isAppError } from '../../kernel/errors.ts'
import { findHolder, lockFolder } from './folder-lock.ts'
import { readProcessIdentity } from './process-identity.ts'
import { readServerInfo, writeServerInfo } from './server-info.ts'

let folder: string
const children: ChildProcessByStdio<Writable, Readable, null>[] = []

beforeEach(async () => {
  folder = await temporaryFolder()
})

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child)
  await rm(folder, { recursive: true, force: true })
})

function startLocker(): { child: (typeof children)[number]; said: Promise<string> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'locker.fixture.ts'), folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  return { child, said: once(child.stdout, 'data').then(([data]) => String(data).trim()) }
}

async function kill(child: (typeof children)[number]): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

test('one process at a time, and the refusal names the holder', async () => {
  const lock = await lockFolder(folder)
  await expect(lockFolder(folder)).rejects.toSatisfy(
    (error) => isAppError(error, 'data-folder-locked') && error.details.pid === process.pid,
  )
  expect(await startLocker().said).toBe(`refused ${process.pid}`)
  await lock.release()
  expect(await findHolder(folder)).toBeUndefined()
  await (await lockFolder(folder)).release()
  expect((await readdir(folder)).filter((name) => name.startsWith('lock-'))).toHaveLength(1)
})

test('of many who find a dead holder at once, exactly one gets the folder', async () => {
  for (let round = 0; round < 4; round++) {
    const racers = Array.from({ length: 6 }, startLocker)
    const said = await Promise.all(racers.map((racer) => racer.said))
    const winner = racers[said.indexOf('locked')]
    expect(said.filter((text) => text === 'locked')).toHaveLength(1)
    expect(said.filter((text) => text === `refused ${winner?.child.pid}`)).toHaveLength(5)
    await kill(winner!.child)
  }
})

test('a process that releases lets the next one in', async () => {
  const first = startLocker()
  expect(await first.said).toBe('locked')
  const ended = once(first.child, 'exit')
  first.child.stdin.end()
  await ended
  expect(await startLocker().said).toBe('locked')
})

test('a pid that was given to another process does not hold the folder', async () => {
  const content = {
    pid: process.pid,
    host: (await import('node:os')).hostname(),
    identity: 'another start',
    nonce: 'x',
  }
  await writeFile(join(folder, 'lock-7'), JSON.stringify(content))
  expect(await findHolder(folder)).toBeUndefined()
  await (await lockFolder(folder)).release()
})

test('a lock of another host counts while it is touched', async () => {
  const path = join(folder, 'lock-1')
  await writeFile(path, JSON.stringify({ pid: 1, host: 'elsewhere', identity: 'x', nonce: 'x' }))
  await expect(lockFolder(folder)).rejects.toThrow('process 1 on elsewhere')
  const old = new Date(Date.now() - 120_000)
  await utimes(path, old, old)
  await (await lockFolder(folder)).release()
})

test('a holder whose lock was taken over is told', async () => {
  const lock = await lockFolder(folder, { leaseMs: 60 })
  const lost = once(lock.lost, 'abort')
  await writeFile(join(folder, 'lock-99'), '{}')
  await lost
  await lock.release()
})

testWhen(process.getuid?.() !== 0, 'root may write everywhere')(
  'a folder that cannot be written is named',
  async () => {
    const sealed = join(folder, 'sealed')
    await mkdir(sealed)
    await chmod(sealed, 0o500)
    await expect(lockFolder(sealed)).rejects.toSatisfy((error) => isAppError(error, 'data-folder-unusable'))
  },
)

test('a file in the place of the folder is refused', async () => {
  const path = join(folder, 'file')
  await writeFile(path, '')
  await expect(lockFolder(path)).rejects.toSatisfy((error) => isAppError(error, 'data-folder-unusable'))
})

test('a server is found only while the process that serves holds the folder', async () => {
  const info = { pid: process.pid, url: 'http://127.0.0.1:4000', tokenFile: join(folder, 'token') }
  const lock = await lockFolder(folder)
  expect(await readServerInfo(folder)).toBeUndefined()
  await writeServerInfo(folder, info)
  expect(await readServerInfo(folder)).toEqual(info)
  await lock.release()
  expect(await readServerInfo(folder)).toBeUndefined()
  const other = startLocker()
  expect(await other.said).toBe('locked')
  expect(await readServerInfo(folder)).toBeUndefined()
})

test('a process has one identity while it lives and none after', async () => {
  const { child, said } = startLocker()
  await said
  const identity = await readProcessIdentity(child.pid!)
  expect(identity).toBeTruthy()
  expect(await readProcessIdentity(child.pid!)).toBe(identity)
  expect(await readProcessIdentity(process.pid)).not.toBe(identity)
  await kill(child)
  expect(await readProcessIdentity(child.pid!)).toBeUndefined()
})
