/** How much model a piece of work is given, the least first. Configurations say which model that is. */
export const modelTiers = ['light', 'standard', 'strong', 'strongest'] as const
export type ModelTier = (typeof modelTiers)[number]
export type TierModels = Readonly<Partial<Record<ModelTier, string>>>

/** The tier so many steps above another; the strongest has none above it. */
export function raiseTier(tier: ModelTier, steps: number): ModelTier {
  return modelTiers[Math.min(modelTiers.length - 1, modelTiers.indexOf(tier) + steps)]!
}

/** The model of a tier. Where it has none, that of the next weaker tier that has one, else of the next stronger; null: there are none. */
export function modelOfTier(models: TierModels, tier: ModelTier): string | null {
  const at = modelTiers.indexOf(tier)
  const order = [...modelTiers.slice(0, at + 1).reverse(), ...modelTiers.slice(at + 1)]
  const found = order.find((name) => models[name] !== undefined)
  return found === undefined ? null : models[found]!
}
