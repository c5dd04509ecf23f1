import type { Composed, Reply, SeenRequest } from './script.ts'

/** How one protocol writes answers. */
export interface WireWriter {
  /** The whole answer as JSON. */
  whole(request: SeenRequest, answer: Composed): object
  /** The pieces of a stream, each with the blank line that ends its last event; a word or a call of a tool a piece. */
  pieces(request: SeenRequest, answer: Composed): readonly string[]
  /** The body of a failure. */
  failure(status: number, message: string, headers: Reply['headers']): object
  /** A failure in the middle of a stream. */
  failureEvent(message: string): string
}

export const data = (value: object) => `data: ${JSON.stringify(value)}\n\n`
export const named = (type: string, value: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...value })}\n\n`
