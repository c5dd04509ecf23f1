import { z } from 'zod'
import { endpoint } from '../../../foundation/platform/http/endpoint-contract.ts'
import { byId } from '../sources-contract.ts'

/** Where senders send to. The body is what the sender makes; its signature stands for a caller. */
export const receiveWebhook = endpoint({
  method: 'POST',
  path: '/webhooks/:id',
  summary: 'Takes a signed webhook. 2xx means that it is stored.',
  params: byId,
  bodyLimit: 1_048_576,
  output: z.object({
    status: z.enum(['accepted', 'duplicate']).optional(),
    id: z.string().optional(),
    /** For Slack, which asks for it when an address is entered. */
    challenge: z.string().optional(),
  }),
})
