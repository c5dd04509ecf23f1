import { type FileHandle, lstat, open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'

const blockBytes = 512
const chunkBytes = 262_144
const longestName = 100

/**
 * Writes folders as a tar archive (ustar, with the long names of GNU). Ordinary files, folders and links; whatever else
 * lies there is left out.
 * @param skip names below the folder that stay
 * @returns bytes written
 */
export async function packFolder(
  folder: string,
  file: FileHandle,
  skip: (path: string) => boolean = () => false,
): Promise<number> {
  let written = 0
  const write = async (bytes: Uint8Array) => {
    await file.write(bytes)
    written += bytes.length
  }
  async function walk(inside: string): Promise<void> {
    for (const entry of await readdir(join(folder, inside), { withFileTypes: true })) {
      const path = inside === '' ? entry.name : `${inside}/${entry.name}`
      if (skip(path)) continue
      const place = join(folder, path)
      const stat = await lstat(place)
      if (entry.isDirectory()) {
        for (const block of headersOf(`${path}/`, '5', 0o755, 0, stat.mtimeMs)) await write(block)
        await walk(path)
      } else if (entry.isSymbolicLink()) {
        const target = await readlink(place)
        for (const block of headersOf(path, '2', 0o777, 0, stat.mtimeMs, target)) await write(block)
      } else if (entry.isFile()) {
        const mode = (stat.mode & 0o111) === 0 ? 0o644 : 0o755
        for (const block of headersOf(path, '0', mode, stat.size, stat.mtimeMs)) await write(block)
        await copy(place, stat.size, write)
      }
    }
  }
  await walk('')
  await write(Buffer.alloc(2 * blockBytes))
  return written
}

/** Exactly as many bytes as were promised: a file that shrinks is filled up, one that grows is cut. */
async function copy(path: string, size: number, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  const source = await open(path, 'r')
  try {
    const buffer = Buffer.allocUnsafe(chunkBytes)
    for (let left = size; left > 0; ) {
      const { bytesRead } = await source.read(buffer, 0, Math.min(left, buffer.length), size - left)
      const chunk = bytesRead === 0 ? Buffer.alloc(Math.min(left, buffer.length)) : buffer.subarray(0, bytesRead)
      await write(Buffer.from(chunk))
      left -= chunk.length
    }
  } finally {
    await source.close()
  }
  const rest = size % blockBytes
  if (rest > 0) await write(Buffer.alloc(blockBytes - rest))
}

function* headersOf(path: string, type: string, mode: number, size: number, mtimeMs: number, target = '') {
  if (Buffer.byteLength(path) > longestName) yield* longName('L', path)
  if (Buffer.byteLength(target) > longestName) yield* longName('K', target)
  yield header(path, type, mode, size, mtimeMs, target)
}

function* longName(type: string, text: string): Generator<Buffer> {
  const content = Buffer.from(`${text}\0`)
  yield header('././@LongLink', type, 0o644, content.length, 0, '')
  yield Buffer.concat([content, Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes)])
}

function header(path: string, type: string, mode: number, size: number, mtimeMs: number, target: string): Buffer {
  const block = Buffer.alloc(blockBytes)
  const text = (value: string, at: number, length: number) => void block.write(value, at, length, 'utf8')
  const octal = (value: number, at: number, length: number) =>
    text(
      `${Math.floor(value)
        .toString(8)
        .padStart(length - 1, '0')}\0`,
      at,
      length,
    )
  Buffer.from(path).copy(block, 0, 0, longestName)
  octal(mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  // Eleven octal digits are 8 GiB; what is larger is written in binary, as GNU does.
  if (size < 8 ** 11) octal(size, 124, 12)
  else {
    block.writeUInt8(0x80, 124)
    block.writeBigUInt64BE(BigInt(size), 128)
  }
  octal(Math.max(0, mtimeMs / 1_000), 136, 12)
  text('        ', 148, 8)
  text(type, 156, 1)
  Buffer.from(target).copy(block, 157, 0, longestName)
  text('ustar\0', 257, 6)
  text('00', 263, 2)
  let sum = 0
  for (const byte of block) sum += byte
  text(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8)
  return block
}
