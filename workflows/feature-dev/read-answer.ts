import type { JsonObject, JsonValue } from '../../src/foundation/kernel/json.ts'

/** The last JSON object in what an agent said: fenced, or bare. Null where there is none. */
export function jsonIn(said: string): JsonObject | null {
  const fenced = [...said.matchAll(/```[a-z]*\s*\n([\s\S]*?)```/g)].map((match) => match[1]!)
  for (const text of [...fenced.toReversed(), ...bareObjects(said)]) {
    const value = parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  }
  return null
}

/** Pieces of a text that begin with { and end with }, the last first. The number of them is bounded. */
function bareObjects(said: string): readonly string[] {
  const end = said.lastIndexOf('}')
  const found: string[] = []
  let start = end
  for (let tries = 0; tries < 200 && start >= 0; tries++) {
    start = said.lastIndexOf('{', start - 1)
    if (start >= 0) found.push(said.slice(start, end + 1))
    if (start === 0) break
  }
  // The longest that parses holds the others.
  return found.toReversed()
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    // Most pieces of a text are no JSON; the caller tries the next.
    return undefined
  }
}

export function textOf(value: JsonValue | undefined, most: number): string {
  return typeof value === 'string' ? value.trim().slice(0, most) : ''
}
