import { formatDuration } from '../../foundation/kernel/units.ts'
import type { Forecaster } from './forecaster.ts'

/** Points this far from the same moment of the season before still speak for it. */
const nearMs = 150_000

/** The baseline of all forecasts: as it was one season before. Knows nothing until a whole season has been seen. */
export const seasonalNaive: Forecaster = {
  forecast(series, at, seasonMs) {
    const then = at.getTime() - seasonMs
    const near = series.filter((point) => Math.abs(point.at.getTime() - then) <= nearMs)
    if (near.length === 0) return null
    const value = near.reduce((sum, point) => sum + point.value, 0) / near.length
    return { value, method: `seasonal-naive, ${formatDuration(seasonMs)}` }
  },
}
