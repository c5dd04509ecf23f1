import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'workflows/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    // A file has the embedded database for seconds: optimising its code takes longer than it gains.
    execArgv: ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering'],
    sequence: { sequencer: LongestFirst },
    maxConcurrency: 3,
    // Limits are for a machine that has much else to do: no test is slow by itself.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 60_000, interval: 50 } },
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts', 'workflows/**/*.ts'],
      exclude: ['**/*.test.ts', '**/*.fixture.ts'],
    },
  },
})
