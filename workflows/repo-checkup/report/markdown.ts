/** Text of strangers as Markdown that shows exactly that text: no markup, no links, no HTML, no mentions. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[\\`*[\]|~]/g, '\\$&')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, '\\_')
    .replace(/@(?=[A-Za-z0-9])/g, '@\u2060')
    .replace(/(?<!&)#(?=\d)/g, '\\#')
}

/** A code span, whatever backticks the text holds. */
export function code(text: string): string {
  const plain = text.replace(/\s+/g, ' ').trim() || ' '
  const longest = Math.max(0, ...[...plain.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  const pad = longest > 0 || plain.startsWith('`') ? ' ' : ''
  return `${fence}${pad}${plain}${pad}${fence}`
}

/** A table; cells are Markdown already. The first column is left-aligned, columns named in `numeric` right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numeric: readonly string[] = [],
): string {
  if (rows.length === 0) return ''
  const line = (cells: readonly string[]) => `| ${cells.map(escapePipes).join(' | ')} |`
  return [line(head), line(head.map((name) => (numeric.includes(name) ? '---:' : '---'))), ...rows.map(line), ''].join(
    '\n',
  )
}

/** Inside a table a bar ends the cell even in a code span. */
function escapePipes(cell: string): string {
  return cell.replace(/(?<!\\)\|/g, '\\|')
}

/** Bars for a series of counts, one character each. */
export function sparkline(counts: readonly number[]): string {
  const bars = '▁▂▃▄▅▆▇█'
  const highest = Math.max(1, ...counts)
  return counts.map((count) => bars[Math.min(7, Math.ceil((count / highest) * 7))]).join('')
}

export function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n') + (items.length > 0 ? '\n' : '')
}
