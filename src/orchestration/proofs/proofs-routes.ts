import { type Route, route } from '../../foundation/platform/http/route.ts'
import { runProofs, taskProof } from './proof-contract.ts'
import type { ProofsService } from './proofs-service.ts'

/** The run of a task is read off its name; see the `runs` part. */
export function proofRoutes(proofs: ProofsService, runOf: (taskId: string) => string): Route[] {
  return [
    route({
      ...runProofs,
      permission: 'artifacts:read',
      handle: async ({ params: { id }, query: { task }, principal: { tenant } }) =>
        task === undefined
          ? proofs.ofRun(tenant, id)
          : { items: [(await proofs.show(tenant, id, task)).named], more: 0 },
    }),
    route({
      ...taskProof,
      permission: 'artifacts:read',
      handle: async ({ params: { id }, query: { format }, principal: { tenant } }) => {
        const { json, markdown } = await proofs.show(tenant, runOf(id), id)
        const isJson = format === 'json'
        const body = Buffer.from(isJson ? json : markdown)
        return {
          mediaType: isJson ? 'application/json' : 'text/markdown; charset=utf-8',
          bytes: body.length,
          fileName: `${id}.${isJson ? 'json' : 'md'}`,
          body: (async function* () {
            yield body
          })(),
        }
      },
    }),
  ]
}
