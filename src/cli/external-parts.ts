import { showGateway, startGateway, stopGateway } from '../external-api/gateway/managed/gateway-contract.ts'
import { showStream, startStreams, stopStreams } from '../external-api/streams/streams-contract.ts'
import { showWebhooks, startWebhooks, stopWebhooks } from '../external-api/webhooks/subscriptions-contract.ts'

/** The parts of the external API that can be switched, in the order in which they are told. */
export const externalParts = [
  { name: 'webhook', status: showWebhooks, start: startWebhooks, stop: stopWebhooks },
  { name: 'gateway', status: showGateway, start: startGateway, stop: stopGateway },
  { name: 'streaming', status: showStream, start: startStreams, stop: stopStreams },
] as const
