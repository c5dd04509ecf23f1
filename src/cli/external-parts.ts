import type { z } from 'zod'
import { showStream, startStreams, stopStreams } from '../external-api/streams/streams-contract.ts'
import { showWebhooks, startWebhooks, stopWebhooks } from '../external-api/webhooks/subscriptions-contract.ts'
import type { Endpoint, NoSchema } from '../foundation/platform/http/endpoint-contract.ts'

type Switch = Endpoint<NoSchema, NoSchema, NoSchema, z.ZodType<Readonly<Record<string, unknown>>>>

export interface ExternalPart {
  readonly name: string
  readonly status: Switch
  readonly start: Switch
  readonly stop: Switch
}

/** The parts of the external API that can be switched, in the order in which they are told. */
export const externalParts: readonly ExternalPart[] = [
  { name: 'webhook', status: showWebhooks, start: startWebhooks, stop: stopWebhooks },
  { name: 'streaming', status: showStream, start: startStreams, stop: stopStreams },
]
