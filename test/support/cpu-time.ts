/** Milliseconds of processor time that this thread has had so far: what a rule costs, whatever runs beside it. */
export function cpuTime(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
