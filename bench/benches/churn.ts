import type { StandaloneBench } from '../harness/bench.ts'
import { median } from '../harness/statistics.ts'
import { churn } from '../ours/churn.ts'

const tasks = 500_000

/** Whether the embedded database stays as fast and as small after half a million tasks. Rounds do not apply. */
export const bench: StandaloneBench = {
  standalone: true,
  targets: {
    last_vs_first_rate: ['>=', 0.8],
    wal_mb: ['<=', 300],
    timer_lag_p99_ms: ['<=', 50],
  },
  async measure({ note }) {
    const windows = await churn(tasks, note)
    const rates = windows.map((window) => window.tasksPerSecond)
    const part = Math.ceil(windows.length / 5)
    const first = median(rates.slice(0, part))
    const last = median(rates.slice(-part))
    const walMb = Math.max(...windows.map((window) => window.walBytes)) / 2 ** 20
    const lagMs = Math.max(...windows.map((window) => window.timerLagP99))
    return {
      results: [
        { name: 'first fifth', value: first, unit: 'tasks/s' },
        { name: 'last fifth', value: last, unit: 'tasks/s' },
        { name: 'write-ahead log at most', value: walMb, unit: 'MiB' },
        { name: 'timer lag p99, worst window', value: lagMs, unit: 'ms' },
      ],
      ratios: { last_vs_first_rate: last / first, wal_mb: walMb, timer_lag_p99_ms: lagMs },
    }
  },
}
