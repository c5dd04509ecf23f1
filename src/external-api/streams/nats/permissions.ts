import { streamName, tenantSubjects } from './subjects.ts'

/** Subjects a NATS user may publish to and subscribe to. */
export interface NatsPermissions {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
}

/** Under this name, and no other, a tenant may have a consumer: another name could be that of another tenant. */
export function consumerName(tenant: string): string {
  return `tenant-${tenant}`
}

/** Replies to a user of the tenant go here: the usual `_INBOX` would let one read the answers of another. */
export function inboxPrefix(tenant: string): string {
  return `_INBOX_${tenant}`
}

/**
 * What lets a user read the events of one tenant, live and from the stream, and nothing else: the filter of its consumer
 * is part of the subject by which it is made, and the server holds both against each other.
 */
export function tenantPermissions(tenant: string): NatsPermissions {
  const name = consumerName(tenant)
  const subjects = tenantSubjects(tenant)
  return {
    publish: [
      `$JS.API.CONSUMER.CREATE.${streamName}.${name}.${subjects}`,
      `$JS.API.CONSUMER.INFO.${streamName}.${name}`,
      `$JS.API.CONSUMER.MSG.NEXT.${streamName}.${name}`,
      `$JS.ACK.${streamName}.${name}.>`,
    ],
    subscribe: [subjects, `${inboxPrefix(tenant)}.>`],
  }
}
