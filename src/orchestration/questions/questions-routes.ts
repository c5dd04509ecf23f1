import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { answerQuestion, listQuestions, showQuestion } from './questions-contract.ts'
import { questionErrors } from './questions-errors.ts'
import type { QuestionsService } from './questions-service.ts'
import { findQuestions, listQuestions as readQuestions, toQuestionView } from './questions-store.ts'

export interface QuestionRoutesOptions {
  readonly database: Database
  readonly questions: QuestionsService
  /** A run and those that it called; the `runs` part provides it. */
  readonly runsUnder: (tx: ReadTx, tenant: TenantId, run: RunId, most: number) => Promise<readonly RunId[]>
}

/** Of one tree. */
const mostRuns = 1_000

export function questionRoutes({ database, questions, runsUnder }: QuestionRoutesOptions): Route[] {
  return [
    route({
      ...listQuestions,
      permission: 'approvals:read',
      handle: async ({ query, principal }) => {
        const { tenant } = principal
        const { state, run, limit } = query
        const filter = { state, before: parsePlace(query.after), limit: limit + 1, now: database.clock.now() }
        const rows = await database.forTenant(tenant).read(async (tx) => {
          const runs = run === undefined ? undefined : await runsUnder(tx, tenant, run as RunId, mostRuns)
          return readQuestions(tx, tenant, { ...filter, runs })
        })
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
