/** Shorter values would blot out ordinary text. */
const shortest = 4
/** A line of a longer secret (a key file), and a value in another encoding, is recognised from this length on. */
const shortestPart = 8
/** Where `base64` and `openssl`, and `xxd -p`, break their lines. */
const base64Columns = [76, 64]
const hexColumns = 60

/** The forms in which a secret is looked for: as it is, line by line, and as programs encode it. Pure. */
export function* formsOfSecret(value: string): Generator<string> {
  const lines = value.split(/\r?\n/)
  const parts = lines.length === 1 ? [] : lines.filter((line) => line.trim().length >= shortestPart)
  for (const part of parts) yield* parts.length > mostLines ? commonForms(part.trim()) : allForms(part.trim())
  yield* allForms(value.trim())
}

/** A key has many lines, and every form costs time: of each of them only what is common. */
const mostLines = 4

function* commonForms(text: string): Generator<string> {
  yield text
  yield JSON.stringify(text).slice(1, -1)
  yield encodeURIComponent(text)
  for (const before of [0, 1, 2]) yield base64From(Buffer.from(text), before).whole
}

function* allForms(text: string): Generator<string> {
  if (text.length < shortest) return
  yield text
  yield* escapedForms(text)
  if (text.length < shortestPart) return
  yield* base64Forms(Buffer.from(text))
  yield* hexForms(Buffer.from(text))
  yield [...text].reverse().join('')
}

function* escapedForms(text: string): Generator<string> {
  const json = JSON.stringify(text).slice(1, -1)
  yield json
  yield json.replaceAll('/', '\\/')
  yield json.replaceAll(/[\u007f-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
  // A document within a document.
  yield JSON.stringify(json).slice(1, -1)
  const percent = encodeURIComponent(text)
  const strict = percent.replaceAll(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
  const field = new URLSearchParams([['', text]]).toString().slice(1)
  for (const form of [percent, strict, field]) {
    yield form
    yield form.replaceAll('%2F', '/')
    yield form.replaceAll('%20', '+')
    yield form.replaceAll(/%[0-9A-F]{2}/g, (letter) => letter.toLowerCase())
  }
  yield text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
  yield text.replaceAll("'", "'\\''")
}

/** At each of the three places at which it may begin among other bytes. */
function* base64Forms(bytes: Buffer): Generator<string> {
  for (const before of [0, 1, 2]) {
    const { whole, toEnd } = base64From(bytes, before)
    for (const form of [toEnd, whole]) {
      yield form
      yield form.replaceAll('+', '-').replaceAll('/', '_')
    }
    if (before === 0) for (const columns of base64Columns) yield* brokenAt(toEnd, columns)
  }
}

/** With so many bytes before it: what depends on nothing beside it, and the same with what follows where nothing does. */
function base64From(bytes: Buffer, before: number): { readonly whole: string; readonly toEnd: string } {
  const all = Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .replace(/=+$/, '')
  const from = Math.ceil((before * 8) / 6)
  return { whole: all.slice(from, Math.floor(((before + bytes.length) * 8) / 6)), toEnd: all.slice(from) }
}

function* hexForms(bytes: Buffer): Generator<string> {
  const hex = bytes.toString('hex')
  yield hex
  yield hex.toUpperCase()
  yield* brokenAt(hex, hexColumns)
  const pairs = hex.match(/../g)!
  for (const between of [' ', ':', '\\x']) yield pairs.join(between)
}

function* brokenAt(text: string, columns: number): Generator<string> {
  if (text.length <= columns) return
  for (let at = 0; at + 2 * shortestPart <= text.length; at += columns) yield text.slice(at, at + columns)
}
