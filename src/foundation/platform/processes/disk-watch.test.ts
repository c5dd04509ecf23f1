import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { watchDisk } from './disk-watch.ts'
import { folderBytes } from './folder-bytes.ts'
import type { LimitBreach } from './process-limits.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leanvibe-disk-'))
})
afterEach(() => rmSync(folder, { recursive: true }))
const kb = (count: number) => Buffer.alloc(count * 1_024, 'x')

test('counts files at any depth, and follows no links', async () => {
  mkdirSync(join(folder, 'a/b'), { recursive: true })
  writeFileSync(join(folder, 'a/one'), kb(64))
  writeFileSync(join(folder, 'a/b/two'), kb(64))
  symlinkSync('/', join(folder, 'root'))
  const bytes = await folderBytes([folder, join(folder, 'missing')], 100)
  expect(bytes).toBeGreaterThanOrEqual(128 * 1_024)
  expect(bytes).toBeLessThan(200 * 1_024)
  expect(await folderBytes([folder], 3)).toBe(null)
})

test('says when more has been written than is allowed, beside what was there', async () => {
  writeFileSync(join(folder, 'before'), kb(512))
  const { promise, resolve } = Promise.withResolvers<LimitBreach>()
  const controller = new AbortController()
  const watch = watchDisk({
    ...{ folders: [folder], limitBytes: 100 * 1_024, everyMs: 10, signal: controller.signal },
    onBreach: resolve,
  })
  writeFileSync(join(folder, 'little'), kb(16))
  // Appended again and again, because the watch may have begun after the first of it.
  const timer = setInterval(() => writeFileSync(join(folder, 'more'), kb(64), { flag: 'a' }), 20)
  const breach = await promise
  clearInterval(timer)
  await watch
  expect(breach).toMatchObject({ resource: 'disk', limit: 100 * 1_024 })
  expect(breach.used).toBeGreaterThan(100 * 1_024)
})

test('ends with its signal', async () => {
  const controller = new AbortController()
  const watch = watchDisk({
    ...{ folders: [folder], limitBytes: 1, everyMs: 60_000, signal: controller.signal },
    onBreach: () => {
      throw new Error('nothing was written')
    },
  })
  controller.abort()
  await watch
})
