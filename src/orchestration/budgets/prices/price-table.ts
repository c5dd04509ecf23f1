import { type ModelPrice, modelPriceSchema, type TokenUse } from '../../../foundation/kernel/model-price.ts'
import { parseWith, z } from '../../../foundation/kernel/schema.ts'
import listed from './model-prices.json' with { type: 'json' }

/** Millionths of a micro-dollar for a token: prices are whole numbers of it, so that sums are exact. */
const precision = 1_000_000

/** The prices of models over time. What the user says goes before what is listed. */
export class PriceTable {
  readonly #byModel: ReadonlyMap<string, readonly ModelPrice[]>

  constructor(own: readonly ModelPrice[] = [], list: readonly ModelPrice[] = listedPrices) {
    const latestFirst = (prices: readonly ModelPrice[]) => prices.toSorted((a, b) => (a.from < b.from ? 1 : -1))
    this.#byModel = Map.groupBy([...latestFirst(own), ...latestFirst(list)], (price) => price.model)
  }

  /** The price of a model at a time; null where none is known. */
  priceOf(model: string, at: Date): ModelPrice | null {
    const day = at.toISOString().slice(0, 10)
    const inForce = (price: ModelPrice) => price.from <= day && (price.to === undefined || day < price.to)
    for (let name = model; name !== ''; name = name.slice(0, Math.max(0, name.search(/[-@:][^-@:]*$/)))) {
      const price = this.#byModel.get(name)?.find(inForce)
      if (price !== undefined) return price
    }
    return null
  }

  /** What tokens cost, whole micro-dollars, rounded up; null where no price of the model is known. */
  costOf(model: string, use: TokenUse, at: Date): number | null {
    const price = this.priceOf(model, at)
    return price === null ? null : costAt(price, use)
  }

  list(): readonly ModelPrice[] {
    return [...this.#byModel.values()].flat()
  }
}

/** US$ per million tokens are micro-dollars per token. Computed in whole numbers: 0.1 + 0.2 must not cost a dollar more. */
export function costAt(price: ModelPrice, use: TokenUse): number {
  const parts: readonly [number | undefined, number][] = [
    [use.inputTokens, price.input],
    [use.outputTokens, price.output],
    [use.cacheReadTokens, price.cacheRead ?? price.input],
    [use.cacheWriteTokens, price.cacheWrite ?? price.input],
  ]
  const unit = BigInt(precision)
  const total = parts.reduce(
    (sum, [tokens = 0, each]) => sum + BigInt(Math.ceil(tokens)) * BigInt(Math.round(each * precision)),
    0n,
  )
  return Number((total + unit - 1n) / unit)
}

export const listedPrices: readonly ModelPrice[] = parseWith(
  z.object({ note: z.string(), prices: z.array(modelPriceSchema) }),
  listed,
  'model-prices.json',
).prices
