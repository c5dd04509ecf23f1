import type { Database } from '../../foundation/platform/database/database.ts'
import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { answerQuestion, listQuestions } from './questions-contract.ts'
import type { QuestionsService } from './questions-service.ts'
import { listQuestions as readQuestions } from './questions-store.ts'

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
