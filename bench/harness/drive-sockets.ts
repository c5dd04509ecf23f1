import { connect, type Socket } from 'node:net'

export interface Pace {
  readonly port: number
  readonly connections: number
  readonly warmUpMs: number
  readonly measureMs: number
}

/** What the connections of a load share: whether answers count now, and whether it is over. */
export interface Phase {
  measuring: boolean
  stopped: boolean
}

/** Opens the connections and drives each until the time measured is over. Returns that time in seconds. */
export async function driveSockets(
  pace: Pace,
  phase: Phase,
  drive: (socket: Socket) => Promise<void>,
): Promise<number> {
  const sockets = await Promise.all(
    Array.from(
      { length: pace.connections },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect(pace.port, '127.0.0.1', () => resolve(socket.setNoDelay(true)))
          socket.once('error', reject)
        }),
    ),
  )
  const driven = Promise.all(sockets.map(drive))
  await new Promise((resolve) => setTimeout(resolve, pace.warmUpMs))
  const started = performance.now()
  phase.measuring = true
  await new Promise((resolve) => setTimeout(resolve, pace.measureMs))
  phase.measuring = false
  const seconds = (performance.now() - started) / 1_000
  phase.stopped = true
  await driven
  return seconds
}
