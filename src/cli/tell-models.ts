import type { ModelSpending } from '../external-api/models/models-contract.ts'
import type { Output } from './output.ts'
import { printable, table } from './text.ts'
import { usdText } from './usd-text.ts'

/** What the model calls of a run have cost; nothing where it made none. */
export function tellModels(
  out: Output,
  { items, microUsd }: { readonly items: readonly ModelSpending[]; readonly microUsd: number },
): void {
  if (items.length === 0) return
  const rows = items.map((item) => [
    `  ${printable(item.model)} at ${item.account}`,
    `${item.calls} calls`,
    `${item.inputTokens + item.cacheReadTokens + item.cacheWriteTokens} in, ${item.outputTokens} out`,
    usdText(item.microUsd),
    item.uncounted === 0 ? '' : out.colors.dim(`${item.uncounted} not counted, as held`),
  ])
  out.lines('', `models: ${usdText(microUsd)}`, ...table(rows))
}
