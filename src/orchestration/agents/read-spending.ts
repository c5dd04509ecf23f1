import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from '../../foundation/kernel/schema.ts'
import type { AttemptSpending } from '../runners/exchange-contract.ts'

const tokens = z.int().min(0).max(1_000_000_000_000)
const spendingSchema = z.object({
  microUsd: tokens.optional(),
  inputTokens: tokens.optional(),
  outputTokens: tokens.optional(),
  cacheReadTokens: tokens.optional(),
  cacheWriteTokens: tokens.optional(),
  model: z.string().max(200).optional(),
  requests: z.int().min(0).max(1_000_000_000).optional(),
  subscriptionPercent: z.number().min(0).max(1_000).optional(),
  subscriptionResetsAt: z.iso.datetime({ offset: true }).optional(),
})

const largest = 65_536

/** Where a program may write, as JSON, what it has spent: LEANVIBE_SPENDING. */
export function spendingFile(tempdir: string): string {
  return join(tempdir, 'spending.json')
}

/** What it wrote there; undefined where there is nothing, and a complaint where it is not what was expected. */
export async function readSpending(
  tempdir: string,
): Promise<AttemptSpending | { readonly problem: string } | undefined> {
  let text: string
  try {
    // The agent made it: a link, a pipe or a device in its place is not followed.
    await using file = await open(
      spendingFile(tempdir),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    )
    const info = await file.stat()
    if (!info.isFile() || info.size > largest) return { problem: 'it is no file of at most 64KB' }
    text = await file.readFile('utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    return { problem: `it cannot be read (${code ?? error})` }
  }
  const parsed = spendingSchema.safeParse(jsonOf(text))
  if (!parsed.success) return { problem: 'it does not hold microUsd, tokens or model as expected' }
  const said = Object.entries(parsed.data).filter(([, value]) => value !== undefined)
  return Object.fromEntries(said) as AttemptSpending
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // refused by the schema
  }
}
