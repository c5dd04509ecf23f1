import { type Route, route } from '../../../foundation/platform/http/route.ts'
import type { ServiceCalls } from './service-calls.ts'
import { showServiceCall, tellServiceCall } from './service-calls-contract.ts'

/** Where services tell how they get on. The token in the address stands for a caller. */
export function serviceCallRoutes(calls: ServiceCalls): Route[] {
  return [
    route({
      ...tellServiceCall,
      permission: 'public',
      handle: async ({ params, body }) => ({ status: await calls.tell(params.token, body) }),
    }),
    route({
      ...showServiceCall,
      permission: 'public',
      handle: ({ params }) => calls.show(params.token),
    }),
  ]
}
