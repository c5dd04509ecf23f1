import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { OutputPipe } from './output-pipe.ts'

let folder: string
let path: string
const taken: string[] = []
const take = (chunk: Buffer) => void taken.push(chunk.toString())

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leanvibe-pipe-'))
  path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  taken.length = 0
})
afterEach(() => rmSync(folder, { recursive: true }))

it('loses nothing of what was written, however late it comes to reading', async () => {
  const pipe = new OutputPipe(path, take)
  const writer = openSync(path, constants.O_WRONLY)
  writeSync(writer, 'x'.repeat(65_536))
  closeSync(writer)
  pipe.read()
  const finished = pipe.finish()
  for (const until = performance.now() + 500; performance.now() < until; );
  await finished
  expect(taken.join('')).toBe('x'.repeat(65_536))
})

it('does not wait for ever when somebody keeps the pipe open', async () => {
  const pipe = new OutputPipe(path, take)
  const writer = openSync(path, constants.O_WRONLY)
  writeSync(writer, 'before')
  pipe.read()
  await pipe.finish()
  closeSync(writer)
  expect(taken).toEqual(['before'])
})

it('waits for a slow taker before it reads on, to the end', async () => {
  let turns = 0
  const pipe = new OutputPipe(path, async (chunk) => {
    const text = chunk.toString()
    await new Promise((resolve) => setTimeout(resolve, 50))
    // The chunk is still the same: nothing was read over it.
    expect(chunk.toString()).toBe(text)
    turns += 1
    taken.push(text)
  })
  const writer = openSync(path, constants.O_WRONLY)
  writeSync(writer, 'a'.repeat(30_000))
  pipe.read()
  await expect.poll(() => turns).toBe(1)
  writeSync(writer, 'b'.repeat(65_536))
  closeSync(writer)
  await pipe.finish()
  expect(taken.join('')).toBe('a'.repeat(30_000) + 'b'.repeat(65_536))
})

it('tells what the taker threw, at once or later', async () => {
  for (const failing of [
    () => {
      throw new Error('full')
    },
    async () => {
      throw new Error('full')
    },
  ]) {
    const pipe = new OutputPipe(path, failing)
    const writer = openSync(path, constants.O_WRONLY)
    writeSync(writer, 'x')
    closeSync(writer)
    pipe.read()
    await expect(pipe.finish()).rejects.toThrow('full')
  }
})

it('closes what was never read', async () => {
  const pipe = new OutputPipe(path, take)
  await pipe.finish()
  expect(() => openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)).toThrow('ENXIO')
})
