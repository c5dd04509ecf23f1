/** Micro-dollars for people: cents where they are whole, else all of it. */
export function usdText(microUsd: number): string {
  return `$${(microUsd / 1_000_000).toFixed(microUsd % 10_000 === 0 ? 2 : 6)}`
}
