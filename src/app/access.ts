import {
  GroupsService,
  groupRoutes,
  MembersService,
  memberRoutes,
  standingOf,
  startSettlingTenants,
  startTenantPurge,
  TenantsService,
  tenantRoutes,
} from '../enterprise/tenants/index.ts'
import {
  createFrontDoor,
  createIdempotencyStore,
  createMemoryLimiter,
  createSharedLimiter,
  defaultRateLimits,
  type Limiter,
  type RateLimits,
  startIdempotencySweep,
} from '../external-api/gateway/front-door/index.ts'
import { asId, type TenantId } from '../foundation/kernel/ids.ts'
import type { BlobStore } from '../foundation/platform/blobs/index.ts'
import type { Config } from '../foundation/platform/config/config.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import type { Authenticate } from '../foundation/platform/http/bearer-token.ts'
import type { FrontDoor } from '../foundation/platform/http/front-door.ts'
import type { IdempotencyStore } from '../foundation/platform/http/idempotency.ts'
import type { Route } from '../foundation/platform/http/route.ts'
import type { EventReader } from '../foundation/runtime/event-reader.ts'
import type { Loop } from '../foundation/runtime/loop.ts'
import type { RunsService } from '../orchestration/runs/runs-service.ts'
import {
  Authenticator,
  actForTenants,
  firstToKnow,
  KeysService,
  keyRoutes,
  RunnerTokens,
} from '../security/authn/index.ts'
import { createTenantWork } from './tenant-work.ts'

export interface AccessOptions {
  readonly database: Database
  readonly config: Config
  readonly blobs: BlobStore
  readonly runs: RunsService
  /** Tells of keys that were revoked elsewhere. */
  readonly reader: EventReader
  /** False for a call that only looks: nothing is swept or purged. */
  readonly work: boolean
  readonly onError: (error: unknown) => void
}

/** Who may come in, how often, and to which tenant. */
export interface Access {
  readonly routes: readonly Route[]
  /** `local` knows the token file of the data folder. */
  authenticate(local: Authenticate): Authenticate
  readonly frontDoor: FrontDoor
  /** Token buckets, shared by replicas. */
  readonly limiter: Limiter
  readonly idempotency: IdempotencyStore
  /** The key of the very first start; null at every other. */
  createFirstKey(): Promise<string | null>
  close(): Promise<void>
}

const home = asId<TenantId>('default')

export function createAccess({ database, config, blobs, runs, reader, work, onError }: AccessOptions): Access {
  const authenticator = new Authenticator({ database, standingOf, feed: reader, onError })
  const onChange = () => authenticator.forget()
  const keys = new KeysService({
    database,
    assertMember: (tx, tenant, id) => members.assertMember(tx, tenant, id),
    onChange,
  })
  const revokeKeys = keys.revokeOfMember.bind(keys)
  const groups = new GroupsService({ database })
  const members: MembersService = new MembersService({
    ...{ database, revokeKeys, onChange: () => keys.tell() },
    leaveGroups: (tx, by, id) => groups.forget(tx, by, id),
  })
  const tenantWork = createTenantWork(database, runs)
  const tenants = new TenantsService({
    database,
    createOwnerKey: (tx, tenant, by) => keys.createOwnerIn(tx, tenant, by),
    work: tenantWork,
    onChange: () => keys.tell(),
  })
  const limiter =
    database.kind === 'pglite' ? createMemoryLimiter(database.clock) : createSharedLimiter({ database, onError })
  const loops: Loop[] = work
    ? [
        startTenantPurge({ database, blobs, work: tenantWork, onError }),
        startSettlingTenants({ database, work: tenantWork, onError }),
        startIdempotencySweep(database, { onError }),
      ]
    : []
  return {
    routes: [
      ...keyRoutes(keys, new RunnerTokens(database, keys)),
      ...tenantRoutes(tenants),
      ...memberRoutes(members),
      ...groupRoutes(groups),
    ],
    authenticate: (local) =>
      actForTenants(firstToKnow(local, authenticator.authenticate), async (id) => void (await tenants.show(id))),
    frontDoor: createFrontDoor(limiter, limitsOf(config)),
    limiter,
    idempotency: createIdempotencyStore({ database }),
    createFirstKey: async () => (await keys.createFirst(home))?.key ?? null,
    async close() {
      await Promise.all(loops.map((loop) => loop.stop()))
      await authenticator.stop()
      await limiter.close()
    },
  }
}

/** The usual limits with what the configuration says instead. */
function limitsOf({ rateLimits }: Config): RateLimits {
  const { ip, failures, key, tenant, route, ...named } = { ...defaultRateLimits, named: null, ...rateLimits }
  const own = Object.entries(named).filter(([name, limit]) => name !== 'named' && limit !== null)
  return {
    ...{ ip, failures, key, tenant, route },
    named: { ...defaultRateLimits.named, ...Object.fromEntries(own) } as RateLimits['named'],
  }
}
