/** Values of a TOML document; dates stay text. */
export type TomlValue = string | number | boolean | TomlValue[] | TomlTable
export interface TomlTable {
  [key: string]: TomlValue
}

/**
 * A reader for the TOML of manifests: tables, arrays of tables, dotted and quoted keys, all kinds of strings, arrays and
 * inline tables. It is forgiving: a line that it cannot read is left out, because a manifest of a stranger must not
 * stop the rest.
 */
export function parseToml(text: string): TomlTable {
  const root: TomlTable = {}
  let table = root
  const scanner = createScanner(text)
  while (!scanner.atEnd()) {
    scanner.skipBlank()
    if (scanner.atEnd()) break
    if (scanner.take('[[')) {
      table = openTable(root, scanner.keys(), true)
      scanner.skipLine()
    } else if (scanner.take('[')) {
      table = openTable(root, scanner.keys(), false)
      scanner.skipLine()
    } else {
      const keys = scanner.keys()
      const value = scanner.take('=') ? scanner.value() : undefined
      if (keys.length > 0 && value !== undefined) assign(table, keys, value)
      scanner.skipLine()
    }
  }
  return root
}

function isTable(value: TomlValue | undefined): value is TomlTable {
  return typeof value === 'object' && !Array.isArray(value)
}

function openTable(root: TomlTable, keys: readonly string[], append: boolean): TomlTable {
  let table = root
  keys.forEach((key, at) => {
    const last = at === keys.length - 1
    const old = Object.hasOwn(table, key) ? table[key] : undefined
    const fits = Array.isArray(old) || (isTable(old) && !(last && append))
    const next: TomlValue = fits ? old! : last && append ? [] : {}
    if (!fits) put(table, key, next)
    if (last && append && Array.isArray(next)) next.push({})
    const inner = Array.isArray(next) ? next.at(-1) : next
    table = isTable(inner) ? inner : {}
  })
  return table
}

function assign(table: TomlTable, keys: readonly string[], value: TomlValue): void {
  put(openTable(table, keys.slice(0, -1), false), keys.at(-1)!, value)
}

/** As data, whatever the key is called (`__proto__`). */
function put(table: TomlTable, key: string, value: TomlValue): void {
  Object.defineProperty(table, key, { value, enumerable: true, configurable: true, writable: true })
}

const escapes: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r', '"': '"', '\\': '\\' }
const maxDepth = 40

function createScanner(text: string) {
  let at = 0
  let depth = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found !== null) at = pattern.lastIndex
    return found
  }
  const scanner = {
    atEnd: () => at >= text.length,
    skipBlank: () => void match(/(?:\s|#[^\n]*)*/y),
    skipLine: () => void match(/[^\n]*\n?/y),
    take(mark: string): boolean {
      match(/[ \t]*/y)
      if (!text.startsWith(mark, at)) return false
      at += mark.length
      return true
    },
    keys(): string[] {
      const keys: string[] = []
      do {
        match(/[ \t]*/y)
        const bare = match(/[A-Za-z0-9_-]+/y)
        if (bare !== null) keys.push(bare[0])
        else if (text[at] === '"' || text[at] === "'") keys.push(scanner.string())
        else break
      } while (scanner.take('.'))
      return keys
    },
    string(): string {
      const quote = text[at]!
      const long = text.startsWith(quote.repeat(3), at)
      const open = long ? quote.repeat(3) : quote
      at += open.length
      if (long) match(/\r?\n/y)
      let value = ''
      while (at < text.length && !text.startsWith(open, at)) {
        const char = text[at]!
        if (!long && char === '\n') return value
        if (quote === '"' && char === '\\') {
          const found = match(/\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|\s*\n\s*|(.))/y)
          const code = found?.[1] ?? found?.[2]
          if (code !== undefined)
            value += Number.parseInt(code, 16) <= 0x10ffff ? String.fromCodePoint(Number.parseInt(code, 16)) : ''
          else value += escapes[found?.[3] ?? ''] ?? ''
          if (found === null) at += 1
          continue
        }
        value += char
        at += 1
      }
      at += open.length
      return value
    },
    value(): TomlValue | undefined {
      scanner.skipBlank()
      const char = text[at]
      if (char === '"' || char === "'") return scanner.string()
      if ((char === '[' || char === '{') && depth >= maxDepth) return undefined
      if (char === '[') return nested(() => scanner.array())
      if (char === '{') return nested(() => scanner.inline())
      const word = match(/[^\s,\]}#]+/y)?.[0]
      if (word === undefined) return undefined
      if (word === 'true' || word === 'false') return word === 'true'
      return /^[+-]?\d[\d_]*(\.\d+)?$/.test(word) ? Number(word.replaceAll('_', '')) : word
    },
    array(): TomlValue[] {
      at += 1
      const items: TomlValue[] = []
      for (;;) {
        scanner.skipBlank()
        if (scanner.atEnd() || scanner.take(']')) return items
        const before = at
        const item = scanner.value()
        if (item !== undefined) items.push(item)
        scanner.skipBlank()
        if (!scanner.take(',') && at === before) at += 1
      }
    },
    inline(): TomlTable {
      at += 1
      const table: TomlTable = {}
      for (;;) {
        scanner.skipBlank()
        if (scanner.atEnd() || scanner.take('}')) return table
        const before = at
        const keys = scanner.keys()
        const value = scanner.take('=') ? scanner.value() : undefined
        if (keys.length > 0 && value !== undefined) assign(table, keys, value)
        scanner.skipBlank()
        if (!scanner.take(',') && at === before) at += 1
      }
    },
  }
  function nested<T>(read: () => T): T {
    depth += 1
    try {
      return read()
    } finally {
      depth -= 1
    }
  }
  return scanner
}
