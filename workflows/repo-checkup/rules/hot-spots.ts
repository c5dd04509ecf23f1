/**
 * Heat of a file = commits in the window x lines now, scaled so that the hottest is 100. It is the hot-spot measure of
 * A. Tornhill, "Your Code as a Crime Scene" (change frequency x size as a stand-in for complexity).
 */
export function hotSpotScores(files: readonly { readonly changes: number; readonly lines: number }[]): number[] {
  const products = files.map(({ changes, lines }) => changes * lines)
  const highest = Math.max(1, ...products)
  return products.map((product) => Math.round((product / highest) * 1000) / 10)
}
