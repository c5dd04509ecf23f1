import { httpErrors } from './http-errors.ts'

/** The place after which the next page begins: the last item of the page before. */
export interface PagePlace {
  readonly at: Date
  readonly id: string
}

export function parsePlace(after: string | undefined): PagePlace | null {
  if (after === undefined) return null
  const match = /^(\d{1,16})\.(\S{1,120})$/.exec(after)
  if (match === null) throw httpErrors['page-invalid'](`${JSON.stringify(after)} is not a place in a list`)
  return { at: new Date(Number(match[1])), id: match[2]! }
}

/** One page of `limit` items, of which one more was read than asked for. */
export function toPage<Item extends { readonly id: string }>(
  read: readonly Item[],
  limit: number,
  atOf: (item: Item) => string | Date,
): { items: Item[]; next: string | null } {
  const items = read.slice(0, limit)
  const last = items.at(-1)
  const next = read.length > limit && last !== undefined ? `${new Date(atOf(last)).getTime()}.${last.id}` : null
  return { items, next }
}
