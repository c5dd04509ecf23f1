import { mergeConfig } from 'vitest/config'
import suite from './vitest.config.ts'

/** The suite as scripts/coverage.mjs runs it: the processes that tests start record what they run, too. */
export default mergeConfig(suite, { test: { setupFiles: ['scripts/coverage-setup.ts'] } })
