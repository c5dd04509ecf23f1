/** FNV-1a over UTF-16 units, 32 bits. Not for secrets. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193)
  return mix(hash)
}

/** Spreads every bit over all others (the finaliser of MurmurHash3): hashes of similar texts are then not similar. */
export function mix(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
