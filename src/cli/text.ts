/** Control and direction characters: in a stranger's text they could move the cursor, hide words or reorder them. */
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]/g

/** Text from agents, repositories and definitions as it may be shown on a terminal: what could steer it becomes visible. */
export function printable(text: string): string {
  return text.replace(unsafe, escapeOf)
}

/** The same on one line, cut to `width` characters. */
export function oneLine(text: string, width = 200): string {
  const flat = text.replace(/\s*\n\s*/g, ' ⏎ ').replace(/\t/g, ' ')
  const shown = printable(flat)
  return shown.length > width ? `${shown.slice(0, Math.max(0, width - 1))}…` : shown
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
}

/** Columns padded to their widest cell; the last one is not. Cells may hold colours: `widthOf` tells what is seen. */
export function table(
  rows: readonly (readonly string[])[],
  widthOf: (cell: string) => number = visibleWidth,
): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, widthOf(cell))
  }
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)),
      )
      .join('  ')
      .trimEnd(),
  )
}

function visibleWidth(cell: string): number {
  return cell.replace(/\u001b\[[0-9;]*m/g, '').length
}

/** `4.2 MB`, in powers of 1024. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** `3 steps`, `1 step`. */
export function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`
}
