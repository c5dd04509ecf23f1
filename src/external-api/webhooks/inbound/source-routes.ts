import { transition } from '../../../foundation/kernel/state-table.ts'
import type { Database } from '../../../foundation/platform/database/database.ts'
import { parsePlace, toPage } from '../../../foundation/platform/http/page.ts'
import { type Route, route } from '../../../foundation/platform/http/route.ts'
import {
  changeSource,
  createSource,
  listReceipts,
  listSources,
  type ReceiptView,
  removeSource,
  rotateSource,
  routeReceipt,
  showSource,
  showSourceSecret,
} from '../sources-contract.ts'
import { webhookErrors } from '../webhook-errors.ts'
import { receiveWebhook } from './ingress-contract.ts'
import { receiptTable } from './receipt-states-contract.ts'
import { findReceipt, listReceiptRows, lockReceipt, type Receipt, reopenReceipt } from './receipts-store.ts'
import type { Receiver } from './receive.ts'
import { toSourceView } from './source.ts'
import type { SourcesService } from './sources-service.ts'

export interface SourceRoutesOptions {
  readonly database: Database
  readonly sources: SourcesService
  readonly receiver: Receiver
  /** Called when a receipt waits to be routed. */
  readonly onStored: () => void
}

/** Incoming webhooks: the address itself, and what people do with sources and receipts. */
export function sourceRoutes({ database, sources, receiver, onStored }: SourceRoutesOptions): Route[] {
  return [
    route({
      ...receiveWebhook,
      permission: 'public',
      rawBody: true,
      handle: async ({ params, rawBody, headers, ip, tellLimit }) => {
        const source = await receiver.admit(params.id, ip, tellLimit)
        return receiver.receive(source, { headers, body: rawBody! })
      },
    }),
    route({
      ...listSources,
      permission: 'webhooks:read',
      handle: async ({ principal }) => ({ items: (await sources.list(principal.tenant)).map(toSourceView) }),
    }),
    route({
      ...createSource,
      permission: 'webhooks:write',
      handle: async ({ principal, body }) => toSourceView(await sources.create(principal.tenant, body)),
    }),
    route({
      ...showSource,
      permission: 'webhooks:read',
      handle: async ({ principal, params }) => toSourceView(await sources.show(principal.tenant, params.id)),
    }),
    route({
      ...changeSource,
      permission: 'webhooks:write',
      handle: async ({ principal, params, body, ifMatch }) =>
        toSourceView(await sources.change(principal.tenant, params.id, body, ifMatch)),
    }),
    route({
      ...removeSource,
      permission: 'webhooks:write',
      handle: ({ principal, params, ifMatch }) => sources.remove(principal.tenant, params.id, ifMatch),
    }),
    route({
      ...rotateSource,
      permission: 'webhooks:admin',
      handle: async ({ principal, params, body, ifMatch }) => {
        const source = await sources.rotate(principal.tenant, params.id, body.overlapSeconds * 1_000, ifMatch)
        return { id: source.id, secret: sources.secretOf(source) }
      },
    }),
    route({
      ...showSourceSecret,
      permission: 'webhooks:admin',
      handle: async ({ principal, params }) => {
        const source = await sources.show(principal.tenant, params.id)
        return { id: source.id, secret: sources.secretOf(source) }
      },
    }),
    route({
      ...listReceipts,
      permission: 'webhooks:read',
      handle: async ({ principal, query }) => {
        const { tenant } = principal
        const source = query.source === undefined ? undefined : (await sources.show(tenant, query.source)).id
        const rows = await database.forTenant(tenant).read((tx) =>
          listReceiptRows(tx, tenant, {
            source,
            state: query.state,
            before: parsePlace(query.after),
            limit: query.limit + 1,
          }),
        )
        const page = toPage(rows, query.limit, (row) => row.receivedAt)
        return { items: page.items.map(toReceiptView), next: page.next }
      },
    }),
    route({
      ...routeReceipt,
      permission: 'webhooks:write',
      handle: async ({ principal, params }) => {
        const { tenant } = principal
        return database.forTenant(tenant).write(async (tx) => {
          const receipt = await lockReceipt(tx, tenant, params.id)
          if (receipt === null)
            throw webhookErrors['webhook-delivery-not-found'](`nothing was received as ${params.id}`)
          const state = transition(receiptTable, `webhook ${receipt.id}`, receipt.state, 'again')
          await reopenReceipt(tx, tenant, receipt.id, state, database.clock.now())
          tx.afterCommit(onStored)
          return toReceiptView({ ...(await findReceipt(tx, tenant, receipt.id))!, source: null })
        })
      },
    }),
  ]
}

function toReceiptView(receipt: Receipt & { readonly source: string | null }): ReceiptView {
  const { id, sourceId, source, deliveryId, state, attempt, outcomes, error } = receipt
  return {
    id,
    sourceId,
    source,
    deliveryId,
    state,
    attempt,
    receivedAt: receipt.receivedAt.toISOString(),
    endedAt: receipt.endedAt?.toISOString() ?? null,
    outcomes: [...outcomes],
    error,
  }
}
