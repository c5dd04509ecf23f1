import type { FileHandle } from 'node:fs/promises'
import { sessionErrors } from '../sessions/session-errors.ts'

const largestFile = 16 * 1_048_576

/** The text of a file, or `limit` of its lines from the 1-based `line` on. @throws agent-limit for files over 16 MiB */
export async function readLines(file: FileHandle, line: number | null, limit: number | null): Promise<string> {
  const { size } = await file.stat()
  if (size > largestFile) throw sessionErrors['agent-limit'](`the file has ${size} bytes; ${largestFile} can be read`)
  const text = await file.readFile('utf8')
  if (line === null && limit === null) return text
  const from = Math.max(0, (line ?? 1) - 1)
  const lines = text.split('\n')
  return lines.slice(from, limit === null ? undefined : from + limit).join('\n')
}
