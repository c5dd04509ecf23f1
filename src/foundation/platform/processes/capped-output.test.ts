import fc from 'fast-check'
import { expect, it } from 'vitest'
import { CappedOutput } from './capped-output.ts'

async function cap(chunks: readonly Uint8Array[], bytes: number) {
  const out: Buffer[] = []
  const capped = new CappedOutput((chunk) => void out.push(Buffer.from(chunk)), bytes)
  for (const chunk of chunks) await capped.write(chunk)
  const live = out.reduce((total, chunk) => total + chunk.length, 0)
  await capped.finish()
  return { out: Buffer.concat(out).toString('latin1'), live }
}

it('keeps everything up to the cap, else head and tail with the number of bytes between', async () => {
  const pieces = fc.array(fc.uint8Array({ min: 97, max: 122, maxLength: 30 }), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(pieces, fc.nat(200), async (chunks, bytes) => {
      const all = Buffer.concat(chunks).toString('latin1')
      const { out, live } = await cap(chunks, bytes)
      if (all.length <= bytes) {
        expect(out).toBe(all)
        return
      }
      const tail = Math.floor(bytes / 2)
      const head = bytes - tail
      const missing = all.length - bytes
      expect(live).toBe(head)
      expect(out).toBe(
        `${all.slice(0, head)}\n[leanvibe: ${missing} bytes left out]\n${tail > 0 ? all.slice(-tail) : ''}`,
      )
    }),
  )
})

it('passes on the promise of the taker, so that the reader waits', async () => {
  let free = () => {}
  const capped = new CappedOutput(() => new Promise<void>((resolve) => (free = resolve)))
  const written = capped.write(Buffer.from('x'))
  expect(written).toBeInstanceOf(Promise)
  free()
  await written
})
