/** `ok`: works. `note`: good to know. `warn`: works less well. `bad`: will not work. */
export type CheckStatus = 'ok' | 'note' | 'warn' | 'bad'

/** One line of the doctor's report. */
export interface Check {
  readonly name: string
  readonly status: CheckStatus
  readonly detail: string
  /** What to do about it. */
  readonly next?: string
}
