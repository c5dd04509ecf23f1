/**
 * Degree of authorship and truck factor after G. Avelino, L. Passos, A. Hora, M. T. Valente, "A Novel Approach for
 * Estimating Truck Factors", ICPC 2016:
 *
 *     DOA(d, f) = 3.293 + 1.098 * FA + 0.164 * DL - 0.321 * ln(1 + AC)
 *
 * FA is 1 when developer d created file f, DL counts d's changes to f, AC the changes by everybody else. d is an author of f when
 * DOA >= 3.293 and DOA is above 0.75 of the highest DOA of that file.
 */
export function degreeOfAuthorship(created: boolean, own: number, others: number): number {
  return 3.293 + 1.098 * (created ? 1 : 0) + 0.164 * own - 0.321 * Math.log1p(others)
}

const threshold = 3.293
const share = 0.75

/** Who the authors of one file are: ids of people, strongest first. `changes` maps a person to the number of their changes. */
export function authorsOf(changes: ReadonlyMap<number, number>, creator: number | null): number[] {
  let total = 0
  for (const count of changes.values()) total += count
  const degrees = [...changes].map(
    ([person, own]) => [person, degreeOfAuthorship(person === creator, own, total - own)] as const,
  )
  const highest = Math.max(...degrees.map(([, degree]) => degree))
  return degrees
    .filter(([, degree]) => degree >= threshold && degree / highest > share)
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .map(([person]) => person)
}

export interface TruckFactor {
  /** How many people can leave before more than half of the files have no author left; 0 when that is so already. */
  readonly factor: number
  /** Those people, in the order the method takes them away. */
  readonly people: readonly number[]
}

/**
 * Takes away the person with most files, again and again, until more than half of the files have lost all authors
 * (the paper's greedy heuristic). `authors` holds the authors of each file.
 */
export function truckFactor(authors: readonly (readonly number[])[]): TruckFactor {
  const filesOf = new Map<number, number[]>()
  authors.forEach((people, file) => {
    for (const person of people) {
      const files = filesOf.get(person)
      if (files === undefined) filesOf.set(person, [file])
      else files.push(file)
    }
  })
  const ranked = [...filesOf].sort((a, b) => b[1].length - a[1].length || a[0] - b[0])
  const left = authors.map((people) => people.length)
  let orphaned = left.filter((count) => count === 0).length
  const people: number[] = []
  for (const [person, files] of ranked) {
    if (orphaned * 2 > authors.length) break
    people.push(person)
    for (const file of files) {
      left[file]! -= 1
      if (left[file] === 0) orphaned += 1
    }
  }
  return { factor: people.length, people }
}
