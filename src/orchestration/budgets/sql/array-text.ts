/** Arrays of arrays of different lengths do not exist in PostgreSQL: the inner ones travel as text. */
export function arrayText(items: readonly (string | number | null)[]): string {
  return `{${items.map((item) => (typeof item === 'string' ? quoted(item) : String(item ?? 'null'))).join(',')}}`
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
