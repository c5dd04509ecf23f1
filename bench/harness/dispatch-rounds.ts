import type { BenchOptions } from './bench.ts'
import type { Contender, DispatchSample } from './contender.ts'
import type { Server } from './postgres.ts'
import { interleave } from './rounds.ts'

/** A contender under the conditions of one line of the report. */
export interface Entry {
  readonly contender: Contender
  readonly tenants: number
}

/** Measures every entry once a round, each time in a new database that is dropped afterwards. */
export async function measureRounds<Name extends string>(
  server: Server,
  entries: Readonly<Record<Name, Entry>>,
  { rounds, note }: BenchOptions,
): Promise<Record<Name, DispatchSample[]>> {
  return interleave(Object.keys(entries) as Name[], rounds, async (name, round) => {
    const { contender, tenants } = entries[name]
    const database = `bench_${name.replace(/\W/g, '_')}_${round}`
    const url = await server.createDatabase(database)
    await server.settle()
    const sample = await contender.measure(url, { tenants, settle: () => server.settle() })
    await server.dropDatabase(database)
    note(`round ${round + 1}/${rounds} ${name}: ${Math.round(sample.completed)} tasks/s`)
    return sample
  })
}
