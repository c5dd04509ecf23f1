import type { NatsLink } from './connect.ts'
import { streamName, tenantSubjects } from './subjects.ts'
import { consumerName } from './tenant-access.ts'

/** The consumer by which a tenant reads the stream from any place that is kept. Making it again changes nothing. */
export async function makeTenantConsumer({ manager }: NatsLink, tenant: string): Promise<void> {
  const name = consumerName(tenant)
  await manager.consumers.add(streamName, {
    durable_name: name,
    name,
    filter_subject: tenantSubjects(tenant),
    ack_policy: 'explicit',
    deliver_policy: 'all',
  })
}

/** Nothing of a deleted tenant stays in NATS. */
export async function removeTenant({ manager }: NatsLink, tenant: string): Promise<void> {
  await manager.streams.purge(streamName, { filter: tenantSubjects(tenant) })
  try {
    await manager.consumers.delete(streamName, consumerName(tenant))
  } catch (error) {
    if ((error as { code?: unknown }).code !== consumerNotFound) throw error
  }
}

const consumerNotFound = 10_014
