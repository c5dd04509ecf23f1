import { closeSync, existsSync, readdirSync, readFileSync } from 'node:fs'

const closeOnExec = 0o2000000

/**
 * Closes the files that whoever started the runner had left open: commands must not see them, nor keep them open. What
 * Node opened itself is marked to be closed in children, so the others are told by the lack of the mark. Linux only.
 */
export function closeInheritedFiles(): void {
  if (!existsSync('/proc/self/fdinfo')) return
  for (const name of readdirSync('/proc/self/fd')) {
    const file = Number(name)
    if (file > 2 && !isOurs(file)) closeSync(file)
  }
}

function isOurs(file: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${file}`, 'latin1'))?.[1]
    return flags === undefined || (Number.parseInt(flags, 8) & closeOnExec) !== 0
  } catch {
    // The one through which the list was read: it is closed already.
    return true
  }
}
