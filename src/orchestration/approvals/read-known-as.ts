import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import type { KnownAs } from './approval-votes-contract.ts'

/** What a caller is known as; the parts that know people provide it. */
export type ReadKnownAs = (tx: ReadTx, tenant: TenantId, id: string) => Promise<KnownAs>
