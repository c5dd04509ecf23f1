import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { askChild } from './ask-child.ts'
import { systemProcessTable } from './system-process-table.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'leanvibe-ask-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function program(name: string, text: string): Promise<URL> {
  await writeFile(join(folder, `${name}.mjs`), text)
  return pathToFileURL(join(folder, `${name}.mjs`))
}

test('a child is asked with arguments, answers once and is ended', async () => {
  const pidFile = join(folder, 'pid')
  const text = `import { writeFileSync } from 'node:fs'
    writeFileSync(process.argv[3], String(process.pid))
    process.send({ args: process.argv.slice(2, 3) })
    setInterval(() => {}, 1000)`
  expect(await askChild(await program('answers', text), ['a b', pidFile])).toEqual({ message: { args: ['a b'] } })
  const pid = Number(await readFile(pidFile, 'utf8'))
  await expect.poll(() => systemProcessTable().find(pid)?.zombie ?? true).toBe(true)
})

test('one that ends, or that stays silent, gives no answer but the reason', async () => {
  expect(await askChild(await program('ends', 'process.exit(4)'), [])).toEqual({
    missing: 'the process ended (exit code 4)',
  })
  const silent = await program('silent', 'setInterval(() => {}, 1000)')
  expect(await askChild(silent, [], { timeoutMs: 200 })).toEqual({ missing: 'no answer after 0.2 s' })
})

test('whoever asks can stop to wait', async () => {
  const silent = await program('waits', 'setInterval(() => {}, 1000)')
  const stop = new AbortController()
  const asked = askChild(silent, [], { signal: stop.signal })
  stop.abort(new Error('enough'))
  await expect(asked).rejects.toThrow('enough')
  await expect(askChild(silent, [], { signal: stop.signal })).rejects.toThrow('enough')
})
