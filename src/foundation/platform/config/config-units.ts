import { isAppError } from '../../kernel/errors.ts'
import { z } from '../../kernel/schema.ts'
import { parseDuration, parseSize } from '../../kernel/units.ts'

const unit = (parse: (text: string) => number, example: string) =>
  z.string(`expected text such as ${example}`).transform((text, context) => {
    try {
      return parse(text)
    } catch (error) {
      if (!isAppError(error)) throw error
      context.addIssue({ code: 'custom', message: `${error.message}: expected text such as ${example}` })
      return z.NEVER
    }
  })
export const durationSchema = unit(parseDuration, '30s, 5m or 2h')
export const sizeSchema = unit(parseSize, '512KB or 64MB')
