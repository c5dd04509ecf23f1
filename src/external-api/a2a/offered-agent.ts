import { A2A_PROTOCOL_VERSION, AgentCard } from '@a2a-js/sdk'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { A2aOffer } from '../../foundation/platform/config/a2a-settings.ts'

/** What only those see who may come in. */
export interface OfferDetails {
  readonly description: string | null
  /** Inputs of the workflow, by name, as its definition has them. */
  readonly inputs: JsonObject
}

/** The card of an offered agent. */
export function cardOf(offer: A2aOffer, baseUrl: string, version: string, details: OfferDetails | null): AgentCard {
  const { name, title, capabilities, examples } = offer
  const inputs = details === null || Object.keys(details.inputs).length === 0 ? null : JSON.stringify(details.inputs)
  const more = [details?.description ?? '', inputs === null ? '' : `Values of a data part are its inputs: ${inputs}`]
  const description = [offer.description, ...more].filter((text) => text !== '').join('\n')
  const media = ['text/plain', 'application/json']
  return {
    ...{ name: title, description, version, provider: undefined, signatures: [] },
    supportedInterfaces: [
      {
        url: `${baseUrl}/a2a/${name}`,
        protocolBinding: 'JSONRPC',
        tenant: '',
        protocolVersion: A2A_PROTOCOL_VERSION,
      },
    ],
    capabilities: { streaming: true, pushNotifications: true, extendedAgentCard: true, extensions: [] },
    securitySchemes: {
      key: {
        scheme: {
          $case: 'httpAuthSecurityScheme',
          value: { scheme: 'Bearer', bearerFormat: '', description: 'An access key (`leanvibe keys create`).' },
        },
      },
    },
    securityRequirements: [{ schemes: { key: { list: [] } } }],
    defaultInputModes: media,
    defaultOutputModes: media,
    skills: [
      {
        ...{ id: name, name: title, description, tags: [...capabilities], examples: [...examples] },
        ...{ inputModes: media, outputModes: media, securityRequirements: [] },
      },
    ],
  }
}

export function cardJson(card: AgentCard): Record<string, never> {
  return AgentCard.toJSON(card) as Record<string, never>
}
