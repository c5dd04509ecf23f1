import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { answerFinding, listFindings, setLivenessPolicy, showLivenessPolicy } from './liveness-contract.ts'
import type { LivenessService } from './liveness-service.ts'

export function livenessRoutes(liveness: LivenessService): Route[] {
  return [
    route({
      ...listFindings,
      permission: 'liveness:read',
      handle: async ({ query, principal }) => {
        const { state, limit } = query
        const before = parsePlace(query.after)
        const rows = await liveness.list(principal.tenant, { state, before, limit: limit + 1 })
        return toPage(rows, limit, (finding) => finding.foundAt)
      },
    }),
    route({
      ...answerFinding,
      permission: 'liveness:write',
      handle: ({ params, body, principal }) => liveness.answer(principal.tenant, params.id, body.answer, principal.id),
    }),
    route({
      ...showLivenessPolicy,
      permission: 'liveness:read',
      handle: ({ principal }) => liveness.policy(principal.tenant),
    }),
    route({
      ...setLivenessPolicy,
      permission: 'liveness:write',
      handle: ({ params, body, principal }) => liveness.setPolicy(principal.tenant, params.detector, body),
    }),
  ]
}
