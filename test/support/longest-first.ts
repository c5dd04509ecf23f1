import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Seconds of the files that take long, as `TEST_DURATIONS_FILE=test/support/durations.json npm test` has written them. */
const durations = JSON.parse(readFileSync(new URL('durations.json', import.meta.url), 'utf8')) as Record<string, number>
/** What is not known crosses parts, and may take long, or lies beside what it tests, and does not. */
const guess = (path: string) => (path.startsWith('test/') ? 5 : 1)

/** Starts the longest files first: none of them is left to run alone at the end. */
export class LongestFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const seconds = (specification: TestSpecification) => {
      const path = relative(specification.project.config.root, specification.moduleId)
      return durations[path] ?? guess(path)
    }
    return specifications.toSorted((a, b) => seconds(b) - seconds(a))
  }
}
