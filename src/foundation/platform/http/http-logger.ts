/** What the server tells about requests; a pino logger fits. */
export interface HttpLogger {
  debug(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export const silentHttpLogger: HttpLogger = { debug: () => {}, warn: () => {}, error: () => {} }
