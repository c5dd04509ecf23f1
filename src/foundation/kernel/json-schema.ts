import { z } from 'zod'

/** Any JSON value. One schema for all contracts, because each of its kind is made of parts of its own. */
export const jsonSchema = z.json()
