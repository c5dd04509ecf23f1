import { z } from 'zod'
import { defineErrors } from './errors.ts'

export { z }

const errors = defineErrors({
  'invalid-input': {
    kind: 'input',
    retry: 'never',
    when: 'a value that came from outside does not have the shape that was expected',
    next: 'correct the fields that the message names',
  },
})

/** Parses unknown input at the border; the error names each field, what was found and what was expected. */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }))
  const text = issues.map((issue) => (issue.path ? `${issue.path}: ${issue.message}` : issue.message)).join('; ')
  throw errors['invalid-input'](`${what}: ${text}`, { details: { issues } })
}
