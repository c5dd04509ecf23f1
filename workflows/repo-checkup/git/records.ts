/**
 * Splits a byte stream at NUL and yields each record as a byte string (latin1): file names need not be UTF-8, and a byte
 * string keeps them exact. A last record without its NUL is yielded too.
 */
export async function* splitRecords(chunks: AsyncIterable<Buffer>): AsyncGenerator<string, void, void> {
  let rest = ''
  for await (const chunk of chunks) {
    const records = (rest + chunk.toString('latin1')).split('\0')
    rest = records.pop()!
    yield* records
  }
  if (rest !== '') yield rest
}

/** The same at line feeds. */
export async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string, void, void> {
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop()!
    yield* lines
  }
  if (rest !== '') yield rest
}

/**
 * A copy that stands alone. A piece cut from a chunk keeps the whole chunk in memory; what is kept for long must be
 * copied out of it.
 */
export function detach(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('latin1')
}
