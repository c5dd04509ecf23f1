/** The next multiple of `step` that is not below the value. Sums of decimals that miss a multiple by a billionth count as it. */
export function roundUp(value: number, step: number): number {
  const steps = Math.ceil(value / step - 1e-9)
  // Decimal steps such as 0.1 have no exact number: what is shown must not end in 0000000001.
  return Number((steps * step).toPrecision(12))
}
