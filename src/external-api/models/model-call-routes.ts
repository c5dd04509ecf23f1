import type { Principal } from '../../foundation/platform/http/principal.ts'
import type { Route, RouteRequest } from '../../foundation/platform/http/route.ts'
import { route } from '../../foundation/platform/http/route.ts'
import type { ModelCatalog } from './catalog.ts'
import { failureForm } from './failure-forms.ts'
import type { ModelGateway } from './gateway.ts'
import type { ModelKeys } from './keys/model-keys.ts'
import type { Wire, WireName } from './wire/wire.ts'
import { dialectOf, wires } from './wire/wires.ts'

/** What providers take at most, images included. */
const bodyLimit = 32 * 1_048_576

const summaries: Readonly<Record<WireName, string>> = {
  chat: "OpenAI's chat completions, streamed or whole, to whichever account serves the model.",
  responses: "OpenAI's responses, streamed or whole.",
  embeddings: "OpenAI's embeddings.",
  messages: "Anthropic's messages, streamed or whole.",
  count: "Anthropic's count of the tokens of a message.",
}

/** The endpoints of the model gateway, in the dialects of those whose clients call them. */
export function modelCallRoutes(gateway: ModelGateway, keys: ModelKeys, catalog: ModelCatalog): Route[] {
  return [...Object.values(wires).map((wire) => callRoute(wire, gateway, keys)), namesRoute(catalog)]
}

function callRoute({ name, path }: Wire, gateway: ModelGateway, keys: ModelKeys): Route {
  return route({
    ...({ method: 'POST', path: path as `/${string}`, permission: 'models:write', reply: 'relay' } as const),
    ...{
      summary: summaries[name],
      rawBody: true,
      outside: name !== 'count',
      bodyLimit,
      failure: failureForm(dialectOf(name)),
    },
    handle: async ({ principal, headers, rawBody, requestId, tookEffect, signal }) =>
      gateway.call({
        ...{ wire: name, tenant: principal.tenant, keyId: principal.key ?? null, headers, requestId },
        ...{ tookEffect, signal },
        key: await keys.bindingOf(headers),
        body: rawBody!,
      }),
  })
}

/** Clients of both dialects ask for names at the same address. */
function namesRoute(catalog: ModelCatalog): Route {
  return route({
    ...({ method: 'GET', path: '/v1/models', permission: 'models:read', reply: 'relay' } as const),
    summary:
      'The names of models that can be called, as OpenAI lists them, or as Anthropic does where `anthropic-version` is sent.',
    failure: failureForm('openai'),
    handle: ({
      principal,
      headers,
    }: Pick<RouteRequest<undefined, undefined, undefined, Principal>, 'principal' | 'headers'>) => {
      const names = catalog.list(principal.tenant)
      const body = headers['anthropic-version'] === undefined ? openaiNames(names) : anthropicNames(names)
      return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    },
  })
}

type Names = ReturnType<ModelCatalog['list']>

function openaiNames(names: Names): object {
  const data = names.map(({ name, places }) => ({
    ...{ id: name, object: 'model', created: 0, owned_by: places[0]!.account.provider },
  }))
  return { object: 'list', data }
}

function anthropicNames(names: Names): object {
  const data = names.map(({ name }) => ({
    ...{ type: 'model', id: name, display_name: name, created_at: '1970-01-01T00:00:00Z' },
  }))
  return { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }
}
