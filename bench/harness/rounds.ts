/**
 * Runs every contender once a round, starting each round with the next one, so that a drift of the machine falls on
 * all alike. Returns the samples of each contender in round order.
 */
export async function interleave<Name extends string, Sample>(
  names: readonly Name[],
  rounds: number,
  measure: (name: Name, round: number) => Promise<Sample>,
): Promise<Record<Name, Sample[]>> {
  const samples = Object.fromEntries(names.map((name) => [name, [] as Sample[]])) as Record<Name, Sample[]>
  for (let round = 0; round < rounds; round++) {
    const first = round % names.length
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      samples[name].push(await measure(name, round))
    }
  }
  return samples
}
