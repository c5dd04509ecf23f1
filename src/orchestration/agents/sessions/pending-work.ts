/** What may be under way before whoever causes it has to wait. */
const most = 64

/** The work that messages of a program cause, so that a program that floods is read no faster than it is heeded. */
export class PendingWork {
  readonly #pending = new Set<Promise<unknown>>()

  /** Work on a message that the program must not run away from. */
  follow(work: void | Promise<void>): void {
    if (work === undefined) return
    this.#pending.add(work)
    const done = () => this.#pending.delete(work)
    work.then(done, done)
  }

  /** Before the next chunk is read: the messages of this one are dealt with, and not too many wait. */
  pace(): Promise<void> {
    if (this.#pending.size >= most) return Promise.allSettled(this.#pending).then(() => undefined)
    return new Promise((resolve) => setImmediate(resolve))
  }
}
