import type { Clone } from './duplicate-windows.ts'

export interface CloneClass {
  /** Lines that all places share. */
  readonly length: number
  readonly places: readonly { readonly file: number; readonly start: number }[]
}

/**
 * Gathers clones of the same original into classes: clones that start at the same place of the same file belong
 * together, with the shortest of their lengths. Most repeated lines ((places - 1) x length) first.
 */
export function gatherClasses(clones: readonly Clone[]): CloneClass[] {
  const classes = new Map<string, { length: number; places: { file: number; start: number }[] }>()
  for (const { fileA, startA, fileB, startB, length } of clones) {
    const key = `${fileA} ${startA}`
    const known = classes.get(key)
    if (known === undefined)
      classes.set(key, {
        length,
        places: [
          { file: fileA, start: startA },
          { file: fileB, start: startB },
        ],
      })
    else {
      known.length = Math.min(known.length, length)
      known.places.push({ file: fileB, start: startB })
    }
  }
  const repeated = ({ length, places }: CloneClass) => (places.length - 1) * length
  return [...classes.values()].sort((a, b) => repeated(b) - repeated(a))
}
