import { type CrowdReport, runCrowd } from '../chaos/crowd.ts'
import type { StandaloneBench } from '../harness/bench.ts'
import { spreadResults } from '../harness/report.ts'

const clients = 1_000
const seconds = 60

/**
 * A thousand clients that read, write and hold event streams, on one `leanvibe serve` with the embedded database (or that of
 * DATABASE_URL), which gets SIGTERM while all of them are busy. What must not be is counted; none of it may be.
 */
export const bench: StandaloneBench = {
  standalone: true,
  targets: {
    faults: ['<=', 0],
    events_lost: ['<=', 0],
    events_doubled: ['<=', 0],
    streams_torn: ['<=', 0],
    accepted_and_dropped: ['<=', 0],
    memory_mb: ['<=', 1_500],
  },
  async measure({ rounds, note }) {
    const databaseUrl = process.env.DATABASE_URL
    const reports: CrowdReport[] = []
    for (let round = 0; round < rounds; round++) {
      reports.push(await runCrowd({ clients, seconds, note, ...(databaseUrl === undefined ? {} : { databaseUrl }) }))
    }
    const of = (value: (report: CrowdReport) => number) => reports.map(value)
    const most = (value: (report: CrowdReport) => number) => Math.max(...of(value))
    for (const { faults } of reports) for (const fault of faults) note(fault)
    return {
      results: [
        ...spreadResults(
          'requests',
          of(({ perSecond }) => perSecond),
          '/s',
        ),
        ...spreadResults(
          'request, p50',
          of(({ latencyMs }) => latencyMs.p50),
          'ms',
        ),
        ...spreadResults(
          'request, p99',
          of(({ latencyMs }) => latencyMs.p99),
          'ms',
        ),
        ...spreadResults(
          'events delivered',
          of(({ events }) => events.delivered),
          '',
        ),
      ],
      ratios: {
        faults: most(({ faults, end }) => faults.length + (end.exitCode === 0 ? 0 : 1)),
        events_lost: most(({ events }) => events.lost),
        events_doubled: most(({ events }) => events.doubled),
        streams_torn: most(({ events }) => events.torn),
        accepted_and_dropped: most(({ end }) => Math.abs(end.begun - end.answered)),
        memory_mb: most(({ memory }) => memory.mostMb),
      },
    }
  },
}
