import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import type { GroupsService } from './groups-service.ts'
import type { StreamFigures } from './stream-figures.ts'
import type { ClientMessage, EventSocket } from './stream-socket.ts'

export interface MemberOptions {
  readonly database: Database
  readonly groups: GroupsService
  readonly figures: StreamFigures
}

export interface Membership {
  readonly name: string
  readonly member: string
  /** Events it may hold unacknowledged. */
  readonly window: number
}

/** A member of a group on a WebSocket: events go out as long as it acknowledges. Throws `stream-group-not-found`. */
export async function openMember(
  { database, groups, figures }: MemberOptions,
  tenant: TenantId,
  { name, member, window }: Membership,
) {
  const { ackMs } = await groups.show(tenant, name)
  const { clock } = database
  /** What it holds, and until when: after that it belongs to nobody. */
  const held = new Map<string, number>()
  let wake = () => {}

  const room = (): number => {
    const now = clock.monotonic()
    for (const [token, until] of held) if (until <= now) held.delete(token)
    return window - held.size
  }
  const untilRoom = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, 1_000)
      wake = done
      signal.addEventListener('abort', done, { once: true })
      if (signal.aborted || room() > 0) done()
    })

  return {
    async serve(socket: EventSocket): Promise<void> {
      while (!socket.signal.aborted) {
        const max = room()
        if (max <= 0) {
          await untilRoom(socket.signal)
          continue
        }
        const leases = await groups.pull(tenant, name, { member, max, waitMs: 10_000 }, socket.signal)
        for (const lease of leases) {
          held.set(lease.token, clock.monotonic() + ackMs)
          await socket.send(JSON.stringify(lease))
          figures.eventsDelivered += 1
        }
      }
    },
    async answer({ type, tokens }: ClientMessage): Promise<void> {
      if (type === 'ack') await groups.ack(tenant, name, tokens)
      else await groups.nack(tenant, name, tokens, 0)
      for (const token of tokens) held.delete(token)
      wake()
    },
  }
}
