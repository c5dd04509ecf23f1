import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TaskId } from '../../foundation/kernel/ids.ts'
import { LogDecoder } from './decode-logs.ts'
import type { LogRow } from './log-store.ts'

const at = new Date('2026-01-01T00:00:00Z')
const row = (stream: LogRow['stream'], bytes: Uint8Array, part = 0, fence = 1): LogRow => ({
  taskId: 'task_1' as TaskId,
  fence,
  part,
  stream,
  at,
  bytes,
})

const text = fc.string({ unit: 'binary' }).map((value) => Buffer.from(value))
const noise = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes))
/** Bytes in which characters begin and are never finished. */
const leads = fc
  .array(fc.constantFrom(0xc3, 0xe2, 0x82, 0xf0, 0x9f, 0x98, 0x80, 0xbf, 0x41, 0xff, 0xc0, 0xed, 0xa0))
  .map((bytes) => Buffer.from(bytes))
const content = fc.array(fc.oneof(text, noise, leads)).map((parts) => Buffer.concat(parts))

test('however bytes are cut into pieces, their text is that of the whole', () => {
  fc.assert(
    fc.property(content, content, fc.array(fc.nat(6), { maxLength: 200 }), (out, err, cuts) => {
      const decoder = new LogDecoder()
      const texts = { stdout: '', stderr: '' }
      const rest = { stdout: out, stderr: err }
      const take = (stream: 'stdout' | 'stderr', size: number) => {
        texts[stream] += decoder.decode(row(stream, rest[stream].subarray(0, size))).text
        rest[stream] = rest[stream].subarray(size)
      }
      for (const [n, cut] of cuts.entries()) take(n % 3 === 0 ? 'stderr' : 'stdout', cut)
      take('stdout', rest.stdout.length)
      take('stderr', rest.stderr.length)
      for (const { stream, text: end } of decoder.end()) texts[stream] += end
      const whole = new TextDecoder('utf-8', { ignoreBOM: true })
      expect(texts).toEqual({ stdout: whole.decode(out), stderr: whole.decode(err) })
    }),
    { numRuns: 500 },
  )
})

test('control characters, NUL and escapes among them, are data', () => {
  const printed = 'a\0b\u001b[31mred\u001b[0m\r\n\u0007\ufeffc'
  expect(new LogDecoder().decode(row('stdout', Buffer.from(printed))).text).toBe(printed)
})

test('a cut character belongs to the piece in which it ends; attempts do not meet', () => {
  const decoder = new LogDecoder()
  const euro = Buffer.from('€')
  expect(decoder.decode(row('stdout', euro.subarray(0, 1), 0, 1)).text).toBe('')
  expect(decoder.decode(row('stdout', Buffer.from('x'), 0, 2)).text).toBe('x')
  expect(decoder.decode(row('stdout', euro.subarray(1), 7, 1))).toEqual({ ...expectRow(7), text: '€' })
  expect(decoder.end()).toEqual([])
})

test('what was never finished is shown at the end', () => {
  const decoder = new LogDecoder()
  expect(decoder.decode(row('stderr', Buffer.from([0x41, 0xf0, 0x9f]), 3)).text).toBe('A')
  expect(decoder.end()).toEqual([{ ...expectRow(3), stream: 'stderr', text: '\ufffd' }])
  expect(decoder.end()).toEqual([])
})

function expectRow(part: number) {
  return { taskId: 'task_1', fence: 1, part, stream: 'stdout', at }
}
