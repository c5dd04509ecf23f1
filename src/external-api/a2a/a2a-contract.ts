import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'

const params = z.object({ agent: z.string().min(1).max(63) })

/** The card of the agent that is offered first. */
export const showFirstCard = endpoint({
  method: 'GET',
  path: '/.well-known/agent-card.json',
  summary: 'The A2A card of the agent that is offered first.',
  output: z.record(z.string(), z.json()),
})

export const showCard = endpoint({
  method: 'GET',
  path: '/a2a/:agent/.well-known/agent-card.json',
  summary: 'The A2A card of an agent that is offered.',
  params,
  output: z.record(z.string(), z.json()),
})

/** JSON-RPC 2.0 as the Agent2Agent protocol 1.0 has it; its streams are server-sent events. */
export const callAgent = endpoint({
  method: 'POST',
  path: '/a2a/:agent',
  summary: 'Speaks to an offered agent: the methods of the A2A protocol as JSON-RPC.',
  params,
  bodyLimit: 4_194_304,
  reply: 'relay',
})

/** For those who may see the registry: what is published there is public to nobody else. */
export const showPublishedCard = endpoint({
  method: 'GET',
  path: '/api/v1/registry/:agent/agent-card',
  summary: 'The A2A card of one of our agents that is published in the registry; it is spoken to at /a2a/NAME.',
  params: z.object({ agent: z.string().min(1).max(100) }),
  output: z.record(z.string(), z.json()),
})

/** Where remote agents tell of news about our tasks. The token that they were given stands for a caller. */
export const receiveNotification = endpoint({
  method: 'POST',
  path: '/a2a/notifications',
  summary: 'Takes the push notifications of remote A2A agents.',
  bodyLimit: 4_194_304,
  output: z.object({ status: z.enum(['accepted', 'duplicate']) }),
})
