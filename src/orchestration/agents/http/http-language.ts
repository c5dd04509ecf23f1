import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import { atPointer } from './json-pointer.ts'

/** The expressions of settings (CEL, bounded and without I/O); `app/` provides the one that workflows use. Throws agent-expression. */
export interface HttpLanguage {
  /** The value of a condition, which must be true or false. */
  condition(source: string, context: JsonObject): boolean
  /** Fills the `${{ }}` in every string; one that stands alone keeps its type. */
  fill(value: JsonValue, context: JsonObject): JsonValue
}

/** What a place in the settings means: a JSON pointer into `body`, or an expression. Undefined: there is nothing. */
export function pick(
  language: HttpLanguage,
  place: string,
  body: JsonValue,
  context: JsonObject,
): JsonValue | undefined {
  return place === '' || place.startsWith('/') ? atPointer(body, place) : language.fill(place, context)
}

/** A URL from a template: what is filled in cannot leave its place in the path or the query. */
export function fillUrl(language: HttpLanguage, template: string, base: URL, context: JsonObject): URL | null {
  if (template.startsWith('${{')) {
    const told = language.fill(template, context)
    return typeof told === 'string' && URL.canParse(told, base.href) ? new URL(told, base) : null
  }
  const parts = template.split(/(\$\{\{.*?\}\})/s)
  const text = parts
    .map((part) => (part.startsWith('${{') ? encodeURIComponent(textOf(language.fill(part, context))) : part))
    .join('')
  return URL.canParse(text, base.href) ? new URL(text, base) : null
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value)
}
