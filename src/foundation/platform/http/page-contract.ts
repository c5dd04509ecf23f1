import { z } from 'zod'

/** Query of a list: newest first, `limit` items a page (default 50, at most 1,000), `after` as the last page's `next` gave it. */
export const pageQueryShape = {
  limit: z.coerce.number().int().min(1).max(1_000).default(50),
  after: z.string().max(200).optional(),
}

export function pageOf<S extends z.ZodType>(item: S) {
  return z.object({
    items: z.array(item),
    /** Pass it as `after` for the next page; null on the last one. */
    next: z.string().nullable(),
  })
}
