import { totalmem } from 'node:os'

const mebibyte = 1_048_576
/** MiB. Enough for a short life. */
export const leastBufferMemory = 32

/**
 * Memory for the pages of the embedded database, MiB: 1/128 of the machine's, from 32 to 128. All of it is resident from
 * the start. Less makes random access slower as soon as the data is larger (seen with 105 MiB of rows: a third fewer
 * updates a second with 32 MiB than with 128); nothing that fits is slower.
 */
export function bufferMemoryFor(machineBytes: number): number {
  return Math.min(128, Math.max(leastBufferMemory, Math.floor(machineBytes / 128 / mebibyte)))
}

/** What this process may use, bytes: the machine's memory, or less where its control group has a limit. */
export function availableMemory(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
