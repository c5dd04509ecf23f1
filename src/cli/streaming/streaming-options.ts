import type { CloudEvent } from '../../external-api/streams/cloud-event-contract.ts'
import type { CliContext } from '../command.ts'
import { oneLine } from '../text.ts'

export interface StreamingOptions {
  readonly action: string
  readonly port?: number
  readonly types?: string
  readonly run?: string
  readonly agent?: string
  readonly subject?: string
  readonly from?: string
  readonly limit?: number
  readonly type: string
  readonly payload?: string
  readonly publishTest?: boolean
  readonly group?: string
  readonly cursor?: string
  readonly force?: boolean
}

export function filterOf({ types, run, agent, subject }: StreamingOptions) {
  return { types, run, agent, subject }
}

export function tellEvent({ out }: CliContext, event: CloudEvent): void {
  out.document(event)
  const data = JSON.stringify(event.data)
  out.lines(
    `${out.colors.dim(event.time.slice(11, 23))}  ${oneLine(event.type, 60)}  ${oneLine(event.subject, 100)}  ${out.colors.dim(oneLine(data, 120))}`,
  )
}
