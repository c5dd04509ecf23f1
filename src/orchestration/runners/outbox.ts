import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { AttemptReport } from './exchange-contract.ts'

/**
 * Reports from the end of the work until the coordinator has taken them. While it cannot be reached they lie in a file
 * too, so that a restart of the runner loses none; by its fence each is accepted once, or refused.
 */
export class Outbox {
  readonly #path: string | null
  readonly #reports = new Map<number, AttemptReport>()
  #unsent: AttemptReport[] = []
  #saved = false

  /** @param path of the file; null keeps nothing beyond this process */
  constructor(path: string | null) {
    this.#path = path
    if (path === null || !existsSync(path)) return
    for (const line of readFileSync(path, 'utf8').split('\n'))
      if (line !== '') this.add(JSON.parse(line) as AttemptReport)
    this.#saved = true
  }

  add(report: AttemptReport): void {
    this.#reports.set(report.fence, report)
    this.#unsent.push(report)
  }

  get unsent(): number {
    return this.#unsent.length
  }

  get size(): number {
    return this.#reports.size
  }

  has(fence: number): boolean {
    return this.#reports.has(fence)
  }

  all(): IterableIterator<AttemptReport> {
    return this.#reports.values()
  }

  /** Takes reports to send; give them back, or acknowledge them. */
  take(most: number): readonly AttemptReport[] {
    if (this.#unsent.length <= most) {
      const all = this.#unsent
      this.#unsent = []
      return all
    }
    return this.#unsent.splice(0, most)
  }

  giveBack(reports: readonly AttemptReport[]): void {
    this.#unsent.unshift(...reports.filter((report) => this.#reports.has(report.fence)))
  }

  acknowledge(reports: readonly AttemptReport[]): void {
    for (const report of reports) this.#reports.delete(report.fence)
    if (this.#saved) this.save()
  }

  /** The lease was lost: nobody wants the report. */
  drop(fence: number): void {
    if (!this.#reports.delete(fence)) return
    this.#unsent = this.#unsent.filter((report) => report.fence !== fence)
  }

  /** Writes down what is not acknowledged; removes the file when that is nothing. */
  save(): void {
    if (this.#path === null) return
    if (this.#reports.size === 0) {
      rmSync(this.#path, { force: true })
      this.#saved = false
      return
    }
    const text = [...this.#reports.values()].map((report) => `${JSON.stringify(report)}\n`).join('')
    writeFileSync(`${this.#path}.new`, text, { mode: 0o600 })
    renameSync(`${this.#path}.new`, this.#path)
    this.#saved = true
  }
}
