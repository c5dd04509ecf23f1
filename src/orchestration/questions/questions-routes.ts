import type { Database } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import type { PageOfRuns } from '../runs/page-of-runs.ts'
import { answerQuestion, listQuestions, showQuestion } from './questions-contract.ts'
import { questionErrors } from './questions-errors.ts'
import type { QuestionsService } from './questions-service.ts'
import { findQuestions, listQuestions as readQuestions, toQuestionView } from './questions-store.ts'

export interface QuestionRoutesOptions {
  readonly database: Database
  readonly questions: QuestionsService
  /** Provided by the `runs` part. */
  readonly pageOfRuns: PageOfRuns
}

export function questionRoutes({ database, questions, pageOfRuns }: QuestionRoutesOptions): Route[] {
  return [
    route({
      ...listQuestions,
      permission: 'approvals:read',
      handle: ({ query, principal: { tenant } }) =>
        pageOfRuns(
          tenant,
          query,
          (tx, filter) => readQuestions(tx, tenant, { ...filter, state: query.state, now: database.clock.now() }),
          (question) => question.createdAt,
        ),
    }),
    route({
      ...showQuestion,
      permission: 'approvals:read',
      handle: async ({ params: { id }, principal: { tenant } }) => {
        const [row] = await database.forTenant(tenant).read((tx) => findQuestions(tx, tenant, [id]))
        if (row === undefined) throw questionErrors['question-not-found'](`there is no question ${id}`)
        return toQuestionView(row, database.clock.now())
      },
    }),
    route({
      ...answerQuestion,
      permission: 'approvals:write',
      handle: ({ params, body, principal }) =>
        questions.answer(principal.tenant, params.id, {
          choice: body.choice ?? null,
          text: body.text ?? null,
          by: principal.id,
        }),
    }),
  ]
}
