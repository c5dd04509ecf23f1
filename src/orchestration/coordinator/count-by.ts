/** How many of the items have each key. Few keys among many items: what follows is done once a key. */
export function countBy<T, Key>(items: readonly T[], keyOf: (item: T) => Key): ReadonlyMap<Key, number> {
  const counts = new Map<Key, number>()
  for (const item of items) {
    const key = keyOf(item)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}
