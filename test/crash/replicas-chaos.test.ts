import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { FaultKind } from '../chaos/fault-plan.ts'
import { checkRecord, checkShutdown, untilEnded } from '../chaos/record-check.ts'
import { figuresOf, ReplicaChaos } from '../chaos/replicas.ts'
import type { Sample } from '../chaos/stall-watch.ts'

const full = process.env.LEANVIBE_CHAOS === 'full'
/** `npm run chaos`: 5 minutes and 36 faults; here a minute and 9. */
const minutes = Number(process.env.LEANVIBE_CHAOS_MINUTES ?? (full ? 5.2 : 1))
const faults = Number(process.env.LEANVIBE_CHAOS_FAULTS ?? Math.round(minutes * (full ? 7 : 9)))
const seed = Number(process.env.LEANVIBE_CHAOS_SEED ?? (full ? Date.now() % 1_000_000 : 1))
/** Where what the processes said and what was seen of the queue is left, for those who look for causes. */
const logs = process.env.LEANVIBE_CHAOS_LOGS
/** Only faults of these kinds, such as `clock-jump,kill-serve`. */
const kinds = process.env.LEANVIBE_CHAOS_KINDS?.split(',') as readonly FaultKind[] | undefined
const runsPerSecond = Number(process.env.LEANVIBE_CHAOS_RATE ?? 3)

test(`3 servers and 4 runners on one PostgreSQL, ${faults} faults in ${minutes} min, seed ${seed}`, {
  timeout: minutes * 60_000 + 600_000,
}, async () => {
  const lines = [
    `replay: LEANVIBE_CHAOS_SEED=${seed} LEANVIBE_CHAOS_MINUTES=${minutes} LEANVIBE_CHAOS_FAULTS=${faults} npm run chaos -- replicas-chaos`,
  ]
  const tell = (line: string) => {
    lines.push(line)
    if (full) console.log(line)
  }
  await using chaos = await ReplicaChaos.start({
    seed,
    durationMs: minutes * 60_000,
    faults,
    runsPerSecond,
    kinds,
    tell,
  })
  let samples: readonly Sample[] = []
  try {
    const run = await chaos.run()
    samples = run.samples
    await untilEnded(chaos, 60_000)
    const record = await checkRecord(chaos, run)
    tell('the record is checked')
    await checkShutdown(chaos)
    tell('all have ended')
    const figures = { seed, ...figuresOf(run), ...record }
    console.log('replicas', JSON.stringify(figures))
    expect(figures.stallMs).toBeLessThanOrEqual(2_500)
    expect(run.releases.filter(({ ms }) => ms >= 10_000)).toEqual([])
  } catch (error) {
    console.log(lines.join('\n'))
    throw error
  } finally {
    if (logs !== undefined) writeLogs(logs, chaos, samples)
  }
})

function writeLogs(folder: string, chaos: ReplicaChaos, samples: readonly Sample[]): void {
  mkdirSync(folder, { recursive: true })
  for (const process of chaos.fleet) writeFileSync(join(folder, `${process.name}.log`), process.complaints())
  const from = chaos.startedAt
  const lines = samples.map(
    ({ at, completed, ready, free }) => `${((at - from) / 1_000).toFixed(1)} ${completed} ${ready} ${free}\n`,
  )
  writeFileSync(join(folder, 'samples'), lines.join(''))
}
