/** One value of a series, at a time. Oldest first in a series. */
export interface SeriesPoint {
  readonly at: Date
  readonly value: number
}

export interface Forecast {
  readonly value: number
  /** How it was made, for people: `seasonal-naive, 1 day`. */
  readonly method: string
}

/** Tells what a series will be. Null where it does not know enough to say. */
export interface Forecaster {
  forecast(series: readonly SeriesPoint[], at: Date, seasonMs: number): Forecast | null
}
