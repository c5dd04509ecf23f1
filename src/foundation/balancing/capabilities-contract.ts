/** Levels go from 1 to this. A capability without one is of level 1. */
export const mostLevel = 10

/** `review:3` is the capability `review` at level 3; `review` alone is level 1. */
export function parseCapability(text: string): { readonly name: string; readonly level: number } {
  const colon = text.lastIndexOf(':')
  if (colon < 0) return { name: text, level: 1 }
  return { name: text.slice(0, colon), level: Number(text.slice(colon + 1)) }
}

/** The level of each capability; of one that is named twice the highest. */
export function capabilityLevels(texts: readonly string[]): ReadonlyMap<string, number> {
  const levels = new Map<string, number>()
  for (const text of texts) {
    const { name, level } = parseCapability(text)
    levels.set(name, Math.max(level, levels.get(name) ?? 0))
  }
  return levels
}

/**
 * All that somebody with these capabilities can be asked for: `review:3` also does `review`, `review:1` and `review:2`. To
 * look whether a requirement is met is then to look it up.
 */
export function expandCapabilities(texts: readonly string[]): ReadonlySet<string> {
  const all = new Set<string>()
  for (const [name, most] of capabilityLevels(texts)) {
    all.add(name)
    for (let level = 1; level <= most; level++) all.add(`${name}:${level}`)
  }
  return all
}
