import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { aliveOf, type ProcessEnd, type ProcessLimits, Supervisor, systemProcessTable } from './index.ts'

const table = systemProcessTable()
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'leanvibe-limits-')))
const supervisor = new Supervisor({ folder })
let count = 0
afterAll(async () => {
  await supervisor.close()
  rmSync(folder, { recursive: true })
})

async function bash(script: string, limits: ProcessLimits): Promise<ProcessEnd> {
  const marker = `limits-${process.pid}-${++count}`
  const running = await supervisor.start({
    ...{ marker, file: 'bash', args: ['-c', script], env: { PATH: '/usr/local/bin:/usr/bin:/bin' }, cwd: folder },
    ...{ onStdout: () => {}, onStderr: () => {}, limits },
  })
  const end = await running.ended
  expect(aliveOf({ marker, main: null }, table)).toEqual([])
  return end
}

const mb = 2 ** 20
/** Holds this much in a child of the shell, then would go on for a minute. */
const hold = (megabytes: number) => `(x=$(head -c ${megabytes * mb} /dev/zero | tr '\\0' a); sleep 60) & wait`

describe('a command with limits', () => {
  it('is ended with all it started when it holds more memory than it may', async () => {
    const end = await bash(hold(200), { memoryBytes: 64 * mb })
    expect(end.breach).toMatchObject({ resource: 'memory', limit: 64 * mb })
    expect(end.breach!.used).toBeGreaterThanOrEqual(64 * mb)
    expect(end.exitCode === null || end.exitCode > 0).toBe(true)
  })

  it('is ended, or held back by the kernel, when it goes on using more cores than it may', async () => {
    const from = performance.now()
    const end = await bash('end=$((SECONDS + 12)); while ((SECONDS < end)); do :; done', { cpuCores: 0.05 })
    const seconds = (performance.now() - from) / 1_000
    if (end.breach === null) expect(end.usage.cpuSeconds! / seconds).toBeLessThan(0.1)
    else expect(end.breach).toMatchObject({ resource: 'cpu', limit: 0.05 })
  })

  it('is left alone while it keeps to them', async () => {
    const end = await bash(`x=$(head -c ${8 * mb} /dev/zero | tr '\\0' a); sleep 0.5`, {
      memoryBytes: 256 * mb,
      cpuCores: 4,
    })
    expect(end).toMatchObject({ exitCode: 0, breach: null })
  })
})
