import type { OpenApiDocument, Operation } from './openapi.ts'
import type { JsonSchema } from './openapi-schemas.ts'

/** The API document as one page without scripts: it needs nothing from elsewhere, and reads with any browser. */
export function referencePage({ info, paths, components }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const tags = [...Map.groupBy(operations, ({ operation }) => operation.tags[0] ?? '')].sort(([a], [b]) =>
    a < b ? -1 : 1,
  )
  const schemas = Object.entries(components.schemas)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${esc(info.title)} API ${esc(info.version)}</title>
<link rel="stylesheet" href="/docs/reference.css">
</head>
<body>
<nav aria-label="Contents">
<p><strong>${esc(info.title)}</strong> ${esc(info.version)}</p>
<p><a href="/openapi.json">openapi.json</a></p>
${tags.map(([tag, list]) => `<details><summary>${esc(tag)}</summary><ul>${list.map(({ method, path, operation }) => `<li><a href="#${esc(operation.operationId)}"><code>${method}</code> ${esc(path)}</a></li>`).join('')}</ul></details>`).join('\n')}
<details><summary>schemas</summary><ul>${schemas.map(([name]) => `<li><a href="#schema-${esc(name)}">${esc(name)}</a></li>`).join('')}</ul></details>
</nav>
<main>
<h1>${esc(info.title)} API</h1>
<p>${esc(info.description)}</p>
${tags.map(([tag, list]) => `<h2>${esc(tag)}</h2>\n${list.map((one) => section(one.method, one.path, one.operation)).join('\n')}`).join('\n')}
<h2>Schemas</h2>
${schemas.map(([name, schema]) => `<section id="schema-${esc(name)}"><h3>${esc(name)}</h3>${shape(schema)}</section>`).join('\n')}
</main>
</body>
</html>
`
}

function section(method: string, path: string, operation: Operation): string {
  const { operationId, summary, parameters = [], requestBody, responses } = operation
  const bodies = contentsOf(requestBody).map(
    ([type, schema]) => `<h4>Body <code>${esc(type)}</code></h4>${shape(schema)}`,
  )
  const answers = Object.entries(responses).flatMap(([status, response]) =>
    contentsOf(response as { content?: Content }).map(
      ([type, schema]) => `<h4>${esc(status)} <code>${esc(type)}</code></h4>${shape(schema)}`,
    ),
  )
  const rows = parameters.map(
    ({ name, in: place, required, schema, description }) =>
      `<tr><td><code>${esc(name)}</code></td><td>${place}${required ? ', required' : ''}</td><td>${typeOf(schema)}</td><td>${esc(description ?? '')}</td></tr>`,
  )
  const table =
    rows.length === 0
      ? ''
      : `<table><tr><th>parameter</th><th>in</th><th>type</th><th></th></tr>${rows.join('')}</table>`
  return `<section id="${esc(operationId)}">
<h3><code class="${method.toLowerCase()}">${method}</code> <code>${esc(path)}</code>${operation.deprecated ? ' <em>deprecated</em>' : ''}</h3>
<p>${esc(summary ?? '')}</p>
<p class="permission">permission <code>${esc(operation['x-permission'])}</code></p>
${table}${bodies.join('')}${answers.join('')}
</section>`
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema }>>

function contentsOf(part: { readonly content?: Content } | undefined): [string, JsonSchema][] {
  return Object.entries(part?.content ?? {}).map(([type, { schema }]) => [type, schema])
}

/** An object as a table of its fields; anything else in a word. */
function shape(schema: JsonSchema): string {
  const properties = schema.properties as Readonly<Record<string, JsonSchema>> | undefined
  if (properties === undefined) return `<p>${typeOf(schema)}</p>`
  const required = new Set((schema.required ?? []) as readonly string[])
  const rows = Object.entries(properties).map(
    ([name, field]) =>
      `<tr><td><code>${esc(name)}</code></td><td>${typeOf(field)}</td><td>${required.has(name) ? 'required' : ''}</td><td>${limitsOf(field)}</td></tr>`,
  )
  return `<table><tr><th>field</th><th>type</th><th></th><th></th></tr>${rows.join('')}</table>`
}

function typeOf(schema: JsonSchema | undefined): string {
  if (schema === undefined) return 'anything'
  const { $ref, type, items, anyOf, enum: choices, const: only, additionalProperties, format, properties } = schema
  if (typeof $ref === 'string') {
    const name = $ref.split('/').at(-1)!
    return `<a href="#schema-${esc(name)}">${esc(name)}</a>`
  }
  const either = (anyOf ?? schema.oneOf ?? schema.allOf) as readonly JsonSchema[] | undefined
  if (either !== undefined) return either.map(typeOf).join(' or ')
  if (Array.isArray(choices)) return choices.map((one) => `<code>${esc(JSON.stringify(one))}</code>`).join(' or ')
  if (only !== undefined) return `<code>${esc(JSON.stringify(only))}</code>`
  if (type === 'array') return `list of ${typeOf(items as JsonSchema)}`
  if (properties !== undefined)
    return `{ ${Object.entries(properties as Record<string, JsonSchema>)
      .map(([name, field]) => `${esc(name)}: ${typeOf(field)}`)
      .join(', ')} }`
  if (typeof additionalProperties === 'object') return `map to ${typeOf(additionalProperties as JsonSchema)}`
  return esc([format, Array.isArray(type) ? type.join(' or ') : (type ?? 'anything')].filter(Boolean).join(' '))
}

function limitsOf(schema: JsonSchema): string {
  const words = ['minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems', 'pattern', 'default'] as const
  return words
    .filter((word) => schema[word] !== undefined)
    .map((word) => `${word} <code>${esc(JSON.stringify(schema[word]))}</code>`)
    .join(', ')
}

function esc(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
}

export const referenceStyle = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; display: grid; grid-template-columns: 20rem minmax(0, 1fr); }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem; border-right: 1px solid var(--line); font-size: 13px; }
nav ul { list-style: none; margin: 0; padding: 0 0 .5rem .5rem; }
nav summary { cursor: pointer; padding: .15rem 0; }
main { padding: 1rem 2rem 40vh; max-width: 70rem; }
section { border-top: 1px solid var(--line); padding-top: .25rem; margin-top: 1.5rem; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
.permission { opacity: .7; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
a { color: inherit; }
@media (max-width: 60rem) { body { display: block; } nav { position: static; height: auto; border: 0; } main { padding: 1rem; } }
`
