import { parseDocument } from 'yaml'
import { type PersonaSettings, personaLimits, personaSettingsSchema } from './personas-contract.ts'
import { personaErrors } from './personas-errors.ts'

/** `---`, settings in YAML, `---`, and then the instructions, which are taken as they are. */
const shape = /^---[ \t]*\r?\n([\s\S]*?)^---[ \t]*(?:\r?\n|$)([\s\S]*)$/m

/** Reads the text of a persona's file. Throws `persona-invalid` with file, line and what was expected. */
export function parsePersona(text: string, file: string): PersonaSettings & { readonly instructions: string } {
  if (Buffer.byteLength(text) > personaLimits.fileBytes)
    throw invalid(file, 1, `it has more than ${personaLimits.fileBytes} bytes`)
  const match = text.startsWith('---') ? shape.exec(text.replace(/^\uFEFF/, '')) : null
  if (match === null) throw invalid(file, 1, 'expected settings between two lines of ---, then the instructions')
  const document = parseDocument(match[1]!, { schema: 'core', version: '1.2' })
  const broken = document.errors[0]
  // The settings begin on the second line of the file.
  if (broken !== undefined) throw invalid(file, 1 + (broken.linePos?.[0].line ?? 1), firstLine(broken.message))
  const parsed = personaSettingsSchema.safeParse(document.toJS({ maxAliasCount: 0 }) ?? {})
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw invalid(file, lineOf(match[1]!, issue.path[0]), `${issue.path.join('.') || 'settings'}: ${issue.message}`)
  }
  const instructions = match[2]!.trim()
  if (instructions === '') throw invalid(file, text.split('\n').length, 'expected instructions below the settings')
  return { ...parsed.data, instructions }
}

function lineOf(settings: string, key: PropertyKey | undefined): number {
  const at = settings.split('\n').findIndex((line) => key !== undefined && line.startsWith(`${String(key)}:`))
  return at < 0 ? 2 : at + 2
}

function firstLine(text: string): string {
  return text.split('\n')[0]!
}

function invalid(file: string, line: number, what: string): Error {
  return personaErrors['persona-invalid'](`${file}:${line}: ${what}`, { details: { file, line } })
}
