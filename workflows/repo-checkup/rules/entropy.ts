/** Shannon entropy of a text in bits a character: 0 for one repeated character, about 6 for random base64. */
export function shannonEntropy(text: string): number {
  if (text === '') return 0
  const counts = new Map<string, number>()
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
  const length = [...text].length
  let bits = 0
  for (const count of counts.values()) bits -= (count / length) * Math.log2(count / length)
  return bits
}
