import { defineConfig } from 'vitest/config'

/** The tests that judge the mutants of stryker.config.json: those of the rules, without journeys and processes. */
export default defineConfig({
  test: {
    include: ['src/foundation/kernel/*.test.ts', 'src/orchestration/{runs,coordinator,budgets}/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 30_000,
  },
})
