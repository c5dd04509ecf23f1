import { mkdir, writeFile } from 'node:fs/promises'
import { join, normalize } from 'node:path'

const block = 512

/** Writes the folders and plain files of a ustar archive under `target`; other kinds of entries are refused. */
export async function unpackTar(tar: Uint8Array, target: string): Promise<void> {
  const files: { readonly path: string; readonly bytes: Uint8Array }[] = []
  await mkdir(target, { recursive: true, mode: 0o700 })
  for (let at = 0; at + block <= tar.length && tar[at] !== 0; ) {
    const name = readText(tar, at + 345, 155) + readText(tar, at, 100)
    const size = Number.parseInt(readText(tar, at + 124, 12), 8)
    const type = String.fromCharCode(tar[at + 156] ?? 0)
    const path = join(target, normalize(`/${name}`))
    if (type === '5') await mkdir(path, { recursive: true, mode: 0o700 })
    else if (type === '0') files.push({ path, bytes: tar.subarray(at + block, at + block + size) })
    else throw new Error(`the image has an entry of type ${JSON.stringify(type)}: ${name}`)
    at += block + Math.ceil(size / block) * block
  }
  // All at once, and only now: a write that failed while the loop still waits for a folder would have nobody to hear it.
  const writes = await Promise.allSettled(files.map(({ path, bytes }) => writeFile(path, bytes, { mode: 0o600 })))
  for (const write of writes) if (write.status === 'rejected') throw write.reason
}

function readText(tar: Uint8Array, start: number, length: number): string {
  const field = tar.subarray(start, start + length)
  const end = field.indexOf(0)
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString('utf8')
}
