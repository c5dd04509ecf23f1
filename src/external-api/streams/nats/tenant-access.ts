import type { z } from 'zod'
import type { natsAccessSchema } from '../streams-contract.ts'
import { streamName, tenantSubjects } from './subjects.ts'

export type NatsAccess = Omit<z.infer<typeof natsAccessSchema>, 'consumerMade'>

/** The NATS account in which the platform itself is a user, by the name that configurations made here give it. */
const platformAccount = 'LEANVIBE'
/** A tenant's account asks for its consumer under this prefix: its own `$JS.API` would answer otherwise. */
const apiPrefix = 'LV.API'

/** Under this name the platform makes the one consumer that a tenant reads the stream by. */
export function consumerName(tenant: string): string {
  return `tenant-${tenant}`
}

/**
 * What lets a tenant read its own events, and nothing else. It may not make consumers: whoever may, has them deliver to any
 * subject, the API that empties the stream among them. In an account of its own all that it asks is answered there, so
 * that no answer lands under a subject of others; a user in the account of the platform may ask nothing and reads live.
 */
export function tenantAccess(tenant: string): NatsAccess {
  const subjects = tenantSubjects(tenant)
  const consumer = consumerName(tenant)
  const account = `LV_${tenant}`
  const asked = ['INFO', 'MSG.NEXT'].map((what) => `CONSUMER.${what}.${streamName}.${consumer}`)
  const acks = `$JS.ACK.${streamName}.${consumer}.>`
  const accounts = [account]
  return {
    consumer: { stream: streamName, name: consumer, subjects },
    account: {
      name: account,
      platformAccount,
      apiPrefix,
      exports: [
        { stream: subjects, accounts },
        ...asked.map((each) => ({ service: `$JS.API.${each}`, response_type: 'stream' as const, accounts })),
        { service: acks, accounts },
      ],
      imports: [
        { stream: { account: platformAccount, subject: subjects } },
        ...asked.map((each) => ({
          service: { account: platformAccount, subject: `$JS.API.${each}` },
          to: `${apiPrefix}.${each}`,
        })),
        { service: { account: platformAccount, subject: acks } },
      ],
    },
    user: { publish: { deny: ['>'] }, subscribe: { allow: [subjects] } },
  }
}
