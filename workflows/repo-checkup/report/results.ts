import type { BulkFacts } from '../bulk.ts'
import type { ChurnFacts } from '../churn.ts'
import type { DependenciesFacts } from '../dependencies-facts.ts'
import type { DuplicatesFacts } from '../duplicates.ts'
import type { FolderFacts } from '../folder.ts'
import type { InventoryFacts } from '../inventory.ts'
import type { OwnershipFacts } from '../ownership-facts.ts'
import { programErrors } from '../program.ts'
import type { StepResult } from '../result.ts'
import type { SecretsFacts } from '../secrets.ts'
import type { SecretsHistoryFacts } from '../secrets-history.ts'
import type { SurveyFacts } from '../survey.ts'
import type { TestsFacts } from '../tests.ts'
import type { TodosFacts } from '../todos.ts'

export interface Facts {
  readonly survey: SurveyFacts
  readonly inventory: InventoryFacts
  readonly churn: ChurnFacts
  readonly ownership: OwnershipFacts
  readonly dependencies: DependenciesFacts
  readonly secrets: SecretsFacts
  readonly 'secrets-history': SecretsHistoryFacts
  readonly bulk: BulkFacts
  readonly duplicates: DuplicatesFacts
  readonly todos: TodosFacts
  readonly tests: TestsFacts
}

export type StepName = keyof Facts

/** What each step is about, for readers; also the list of steps a full report rests on. */
export const stepTitles: Readonly<Record<StepName, string>> = {
  survey: 'Survey',
  inventory: 'Inventory',
  churn: 'Hot spots',
  ownership: 'Ownership',
  dependencies: 'Dependencies and licences',
  secrets: 'Secrets in the present files',
  'secrets-history': 'Secrets in the history',
  bulk: 'Size of the clone',
  duplicates: 'Copied code',
  todos: 'Debt markers',
  tests: 'Tests',
}

/** The results of a run. A step that failed or was left out has no entry. */
export interface Results {
  readonly steps: { readonly [Name in StepName]?: StepResult<Facts[Name]> }
  readonly folders: readonly StepResult<FolderFacts>[]
}

/**
 * Reads `{ "<step>": result, ..., "folders": [result, ...] }`. A step is known by its result's own `step` field; results
 * may be wrapped (`{ "result": ... }`), missing or null. Throws `checkup-bad-argument` when there is no survey.
 */
export function readResults(text: string): Results {
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch (error) {
    throw programErrors['checkup-bad-argument']('the results on standard input are not JSON', { cause: error })
  }
  const steps: Record<string, StepResult> = {}
  const folders: StepResult[] = []
  const take = (value: unknown, depth: number): void => {
    if (typeof value !== 'object' || value === null || depth > 4) return
    if (isResult(value)) {
      if (value.step === 'folder') folders.push(value)
      else if (Object.hasOwn(stepTitles, value.step)) steps[value.step] = value
      return
    }
    for (const inner of Object.values(value)) take(inner, depth + 1)
  }
  take(data, 0)
  if (steps.survey === undefined) {
    throw programErrors['checkup-bad-argument'](
      'the results hold no result of the survey step; without it there is nothing to report on',
    )
  }
  return { steps: steps as Results['steps'], folders: folders as unknown as Results['folders'] }
}

function isResult(value: object): value is StepResult {
  return (
    'step' in value && typeof value.step === 'string' && 'schema' in value && value.schema === 1 && 'findings' in value
  )
}
