import { expect, test } from 'vitest'
import { systemIds } from '../../src/foundation/kernel/ids.ts'
import type { Assignment } from '../../src/orchestration/runners/exchange-contract.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'
import type { TestWorker } from '../support/worker.ts'

const one = `name: one
steps: { s: { command: [a] } }
`

eachDatabase('turns of several servers', (use) => {
  /** Runs of one task, started and handed out by each server in turn; how many went to each worker. */
  async function shares(strategy: string, weights: readonly number[], runs: number): Promise<readonly number[]> {
    const servers = [new TestPlatform(use()), new TestPlatform(use()), new TestPlatform(use())]
    await use().owner(
      `insert into pools (tenant_id, name, strategy) values ($1, 'default', $2)
      on conflict (tenant_id, name) do update set strategy = excluded.strategy`,
      [tenant, strategy],
    )
    const workers: TestWorker[] = []
    for (const [n, weight] of weights.entries()) {
      workers.push(await servers[n % 3]!.worker({ slots: 4 }, systemIds.next('rnr')))
      await use().owner('update agents set weight = $2 where id = $1', [workers[n]!.agentId, weight])
    }
    const counts = weights.map(() => 0)
    for (let n = 0; n < runs; n++) {
      // Servers take turns unevenly: two in a row here, one there.
      const run = await servers[[0, 1, 1, 2][n % 4]!]!.start(one)
      await Promise.all(workers.map((worker) => worker.take()))
      for (const [at, worker] of workers.entries()) {
        const leases: readonly Assignment[] = [...worker.held.values()]
        counts[at]! += leases.length
        if (leases.length > 0) await worker.finish(leases, () => ({ output: null }))
      }
      expect((await servers[0]!.run(run.id)).state).toBe('succeeded')
    }
    await servers[0]!.check()
    return counts
  }

  test('round_robin gives each the same, whoever hands out', async () => {
    expect(await shares('round_robin', [1, 1, 1], 18)).toEqual([6, 6, 6])
  })

  test('weighted gives each its share, whoever hands out', async () => {
    expect(await shares('weighted', [1, 2, 3], 24)).toEqual([4, 8, 12])
  })
})
