/** Asks, uses the answer, and goes on: at once where it is there, because most requests wait for nobody. */
export function goOn<T>(ask: () => Promise<T> | T, use: (value: T) => unknown, done: (error?: Error) => void): void {
  let used: unknown
  try {
    const given = ask()
    used = given instanceof Promise ? given.then(use) : use(given)
  } catch (error) {
    done(error as Error)
    return
  }
  if (used instanceof Promise) used.then(() => done(), done)
  else done()
}
