import type { z } from 'zod'
import type { Problem } from './endpoint-contract.ts'
import { createSchemaBook, type JsonSchema, type SchemaBook } from './openapi-schemas.ts'
import { problemMediaType } from './problem.ts'
import type { Route } from './route.ts'

export interface ApiDescription {
  readonly title: string
  readonly version: string
  readonly description: string
  readonly routes: readonly Route[]
  /** Names of schemas, for `components`. */
  readonly schemas: ReadonlyMap<z.ZodType, string>
  /** Names of endpoints by `METHOD /path`, for `operationId`; others are named by their path. */
  readonly operations: ReadonlyMap<string, string>
}

export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: Readonly<Record<string, unknown>> & { readonly schemas: Readonly<Record<string, JsonSchema>> }
  readonly [more: string]: unknown
}

export interface Operation {
  readonly operationId: string
  readonly summary?: string
  readonly tags: readonly string[]
  readonly deprecated?: true
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> }
  readonly responses: Readonly<Record<string, unknown>>
  readonly 'x-permission': string
  readonly [more: string]: unknown
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly schema: JsonSchema
  readonly description?: string
}

/** The API as an OpenAPI 3.1 document, in a fixed order: it follows from the routes alone. */
export function describeApi(api: ApiDescription): OpenApiDocument {
  const routes = api.routes.filter(({ reply }) => reply !== 'page')
  const all = routes.flatMap(({ params, query, body, output }) =>
    [params, query, body, output].filter((s) => s !== null),
  )
  const book = createSchemaBook(api.schemas, [...new Set(all)])
  const paths: Record<string, Record<string, Operation>> = {}
  for (const route of routes.toSorted(byPath)) {
    const path = route.path.replace(/:(\w+)/g, '{$1}').replace(/\*$/, '{rest}')
    paths[path] ??= {}
    paths[path][route.method.toLowerCase()] = operationOf(route, book, api.operations)
  }
  const schemas = { ...book.components, Problem: problemSchema }
  return {
    openapi: '3.1.0',
    info: { title: api.title, version: api.version, description: api.description },
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    servers: [{ url: '/' }],
    security: [{ key: [] }],
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
      responses: {
        Problem: {
          description: 'What went wrong, and what to do about it (RFC 9457).',
          content: { [problemMediaType]: { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'A key made by `leanvibe keys create`.' },
      },
    },
  }
}

function byPath(a: Route, b: Route): number {
  return `${a.path} ${a.method}` < `${b.path} ${b.method}` ? -1 : 1
}

function operationOf(route: Route, book: SchemaBook, names: ReadonlyMap<string, string>): Operation {
  const { method, path, summary, permission, deprecated, body } = route
  const parameters = parametersOf(route, book)
  return {
    operationId: names.get(`${method} ${path}`) ?? nameByPath(method, path),
    ...(summary === null ? {} : { summary }),
    tags: [tagOf(path)],
    ...(deprecated === null ? {} : { deprecated: true as const }),
    ...(permission === 'public' ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === null ? {} : { requestBody: { content: { 'application/json': { schema: book.of(body, 'input') } } } }),
    ...(route.rawBody ? { requestBody: { content: { '*/*': { schema: {} } } } } : {}),
    responses: { ...successOf(route, book), default: { $ref: '#/components/responses/Problem' } },
    'x-permission': permission,
  }
}

function nameByPath(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  return [method.toLowerCase(), ...words]
    .map((word, i) => (i === 0 ? word : word[0]!.toUpperCase() + word.slice(1)))
    .join('')
}

function tagOf(path: string): string {
  const [first = '', version = '', part = ''] = path.split('/').slice(1)
  return first === 'api' && /^v\d+$/.test(version) ? part : first
}

function parametersOf({ params, query, method, permission, revision, reply }: Route, book: SchemaBook): Parameter[] {
  const listed: Parameter[] = [
    ...fieldsOf(params, book).map(({ name, schema }) => ({ name, in: 'path' as const, required: true, schema })),
    ...fieldsOf(query, book).map(({ name, schema, required }) => ({
      ...{ name, in: 'query' as const, schema },
      ...(required ? { required } : {}),
    })),
  ]
  const header = (name: string, description: string) => ({ name, in: 'header' as const, schema: text, description })
  if (reply === 'events') listed.push(header('Last-Event-ID', 'The last event seen: the stream goes on after it.'))
  if (permission !== 'public' && method !== 'GET')
    listed.push(header('Idempotency-Key', 'Sent again with the same request, it gives the answer of the first.'))
  if (revision !== null)
    listed.push(
      method === 'GET'
        ? header('If-None-Match', 'An ETag: answered 304 while nothing has changed.')
        : header('If-Match', 'The ETag that was seen last: refused with 412 where there is a newer one.'),
    )
  return listed
}

const text = { type: 'string' }

function fieldsOf(schema: z.ZodType | null, book: SchemaBook) {
  if (schema === null) return []
  let described = book.of(schema, 'input')
  if (typeof described.$ref === 'string') described = book.components[described.$ref.split('/').at(-1)!]!
  const required = new Set((described.required ?? []) as readonly string[])
  return Object.entries((described.properties ?? {}) as Record<string, JsonSchema>).map(([name, field]) => ({
    ...{ name, schema: field, required: required.has(name) },
  }))
}

function successOf({ reply, status, output, secret }: Route, book: SchemaBook): Record<string, unknown> {
  const described = output === null ? {} : book.of(output, 'output')
  const content = (mediaType: string, schema: JsonSchema) => ({ content: { [mediaType]: { schema } } })
  switch (reply) {
    case 'json':
      if (output === null) return { 204: { description: 'Done.' } }
      return {
        [status]: {
          description: secret ? 'Done. The secret in it is shown this once.' : 'Done.',
          ...content('application/json', described),
        },
      }
    case 'lines':
      return { 200: { description: 'One document a line.', ...content('application/x-ndjson', described) } }
    case 'events':
      return {
        200: { description: 'Server-sent events; the data of each:', ...content('text/event-stream', described) },
      }
    case 'bytes':
      return { 200: { description: 'The content.', ...content('*/*', {}) } }
    case 'relay':
      return { 200: { description: 'The answer of the server behind it.', ...content('*/*', {}) } }
    case 'socket':
      return { 101: { description: 'The connection is upgraded.' } }
    case 'page':
      return { 200: { description: 'A page.', ...content('text/html', {}) } }
  }
}

const problemFields: Readonly<Record<keyof Problem, JsonSchema>> = {
  type: { type: 'string', description: '`urn:leanvibe:error:<code>`' },
  title: text,
  status: { type: 'integer' },
  detail: { type: 'string', description: 'Left out of 5xx answers.' },
  code: { type: 'string', description: 'Stable; docs/errors.md lists them.' },
  kind: text,
  retry: { enum: ['never', 'later', 'now'] },
  next: { type: 'string', description: 'What to do about it.' },
  requestId: text,
  details: { type: 'object', additionalProperties: true },
}
const problemSchema: JsonSchema = {
  type: 'object',
  properties: problemFields,
  required: ['type', 'title', 'status', 'code', 'kind', 'retry', 'next', 'requestId'],
}
