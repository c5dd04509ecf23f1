/** The most tasks one statement may change: their events go into one row of the log, which admits no more. */
export const mostTasks = 1_000

/** The list in pieces that one statement may take. */
export function* chunksOf<T>(tasks: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < tasks.length; from += mostTasks) yield tasks.slice(from, from + mostTasks)
}
