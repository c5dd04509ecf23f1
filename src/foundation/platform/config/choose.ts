import type { z } from '../../kernel/schema.ts'

/** A setting as some source gives it; undefined where the source is silent. `from` names the source in messages. */
export interface Offer {
  readonly from: string
  readonly value: unknown
}

export interface Chooser {
  /** The first offer that says something, checked; `fallback` where none does or the value is refused. */
  choose<S extends z.ZodType, F>(schema: S, offers: readonly Offer[], fallback: F): z.output<S> | F
  refuse(finding: string): void
  readonly findings: readonly string[]
}

/** Gathers findings instead of stopping at the first, so that everything can be mended in one go. */
export function createChooser(): Chooser {
  const findings: string[] = []
  return {
    findings,
    refuse: (finding) => void findings.push(finding),
    choose(schema, offers, fallback) {
      const offer = offers.find(({ value }) => value !== undefined)
      if (offer === undefined) return fallback
      const parsed = schema.safeParse(offer.value)
      if (parsed.success) return parsed.data
      const why = parsed.error.issues.map(({ message }) => message.replace(/^Invalid input: /, '')).join('; ')
      findings.push(`${offer.from} ${JSON.stringify(offer.value)}: ${why}`)
      return fallback
    },
  }
}

/** Text from the environment as the number it stands for, or as it is: then the schema refuses it. */
export function numeric(text: string | undefined): number | string | undefined {
  return text !== undefined && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}
