/** One task as its handler saw it. */
export interface Entered {
  readonly n: number
  /** From just before the task was handed over to be added, to the handler's first line with the lease committed. */
  readonly nanoseconds: number
}

/** A queue that is empty but for the task just added. One instance serves one round. */
export interface LatencyQueue extends AsyncDisposable {
  /** Adds one task; `addedAt` is a reading of `sharedClock` that travels with it. */
  add(n: number, addedAt: bigint): Promise<void>
  /** The tasks that were entered since the last call. */
  entered(): Promise<readonly Entered[]>
}

export interface LatencyContender {
  readonly name: string
  open(url: string): Promise<LatencyQueue>
}
