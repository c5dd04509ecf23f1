import type { Database } from '../../foundation/platform/database/database.ts'
import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { answerQuestion, listQuestions, showQuestion } from './questions-contract.ts'
import { questionErrors } from './questions-errors.ts'
import type { QuestionsService } from './questions-service.ts'
import { findQuestions, listQuestions as readQuestions, toQuestionView } from './questions-store.ts'

export function questionRoutes(database: Database, questions: QuestionsService): Route[] {
  return [
    route({
      ...listQuestions,
      permission: 'approvals:read',
      handle: async ({ query, principal }) => {
        const { tenant } = principal
        const { state, run, limit } = query
        const filter = { state, run, before: parsePlace(query.after), limit: limit + 1, now: database.clock.now() }
        const rows = await database.forTenant(tenant).read((tx) => readQuestions(tx, tenant, filter))
        return toPage(rows, limit, (question) => question.createdAt)
      },
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
