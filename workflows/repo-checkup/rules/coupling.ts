import { baseName, folderOf } from '../git/path-name.ts'

export interface Coupling {
  readonly a: string
  readonly b: string
  /** Commits that changed both. */
  readonly together: number
  /** together / commits of the file that changed less often, 0 to 1. */
  readonly degree: number
}

/** A commit that touches more files than this says nothing about pairs (a rename, a reformatting). */
const maxFilesOfCommit = 20
const minTogether = 6
const minDegree = 0.5
const maxPairs = 200_000

/**
 * Change coupling: files that keep changing in the same commits although they lie in different folders depend on each
 * other in a way the code does not show. Memory is bounded: past 200,000 pairs the pairs seen once are dropped.
 */
export function createCoupling() {
  const single = new Map<string, number>()
  const pairs = new Map<string, number>()
  return {
    /** The source files of one commit. */
    add(paths: readonly string[]): void {
      if (paths.length > maxFilesOfCommit) return
      for (const path of paths) single.set(path, (single.get(path) ?? 0) + 1)
      const sorted = [...paths].sort()
      for (let i = 0; i < sorted.length; i += 1) {
        for (let j = i + 1; j < sorted.length; j += 1) {
          const a = sorted[i]!
          const b = sorted[j]!
          if (folderOf(a) === folderOf(b) || stem(a) === stem(b)) continue
          const key = `${a}\0${b}`
          pairs.set(key, (pairs.get(key) ?? 0) + 1)
        }
      }
      if (pairs.size > maxPairs) for (const [key, count] of pairs) if (count === 1) pairs.delete(key)
    },
    strongest(limit: number): Coupling[] {
      const found: Coupling[] = []
      for (const [key, together] of pairs) {
        if (together < minTogether) continue
        const [a, b] = key.split('\0') as [string, string]
        const degree = together / Math.min(single.get(a)!, single.get(b)!)
        if (degree >= minDegree) found.push({ a, b, together, degree: Math.round(degree * 100) / 100 })
      }
      return found.sort((x, y) => y.together * y.degree - x.together * x.degree || (x.a < y.a ? -1 : 1)).slice(0, limit)
    },
  }
}

function stem(path: string): string {
  return baseName(path).replace(/\..*$/, '')
}
