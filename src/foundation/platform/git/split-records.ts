/** Cuts a byte stream at `separator`. A last record without separator counts. Bytes that are no UTF-8 become U+FFFD. */
export async function* splitRecords(
  chunks: AsyncIterable<Uint8Array>,
  separator: '\0' | '\n',
): AsyncGenerator<string, void, undefined> {
  const code = separator.charCodeAt(0)
  let held: Uint8Array[] = []
  const take = (part: Uint8Array) => {
    const whole = held.length === 0 ? part : Buffer.concat([...held, part])
    held = []
    return Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength).toString('utf8')
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(code); end !== -1; end = chunk.indexOf(code, start)) {
      yield take(chunk.subarray(start, end))
      start = end + 1
    }
    if (start < chunk.length) held.push(chunk.subarray(start))
  }
  if (held.length > 0) yield take(new Uint8Array())
}
