import { ResourceNotFoundError } from '@modelcontextprotocol/server'
import { isAppError } from '../../foundation/kernel/errors.ts'
import { artifactContent, listRuns, showRun } from '../../orchestration/runs/run-endpoints-contract.ts'
import type { FleetApi } from './fleet-api.ts'
import { isText, readPart } from './read-part.ts'

/** Bytes of an artifact that one reading gives; `read_artifact` reads more, piece by piece. */
const mostBytes = 1_048_576
const pageSize = 50

export interface ResourceText {
  readonly uri: string
  readonly mimeType: string
  readonly text: string
}
export interface ResourceBlob {
  readonly uri: string
  readonly mimeType: string
  /** Base64. */
  readonly blob: string
}

export const resourceTemplates = [
  {
    uriTemplate: 'leanvibe://runs/{run}',
    name: 'run',
    title: 'A run with its steps, tasks and artifacts',
    mimeType: 'application/json',
  },
  {
    uriTemplate: 'leanvibe://artifacts/{artifact}',
    name: 'artifact',
    title: 'The content of an artifact, as far as its first MiB',
  },
] as const

/** Runs, newest first; their artifacts are named in them. */
export async function listResources(api: FleetApi, cursor: string | undefined, signal: AbortSignal) {
  if (!api.may(listRuns)) return { resources: [] }
  const page = await api.call(listRuns, { query: { limit: pageSize, after: cursor }, signal })
  return {
    resources: page.items.map(({ id, workflow, state }) => ({
      ...{ uri: `leanvibe://runs/${id}`, name: id, title: `${workflow}: ${state}`, mimeType: 'application/json' },
    })),
    ...(page.next === null ? {} : { nextCursor: page.next }),
  }
}

/** @throws ResourceNotFoundError also for what is another tenant's */
export async function readResource(
  api: FleetApi,
  uri: string,
  signal: AbortSignal,
): Promise<ResourceText | ResourceBlob> {
  const [, kind, id = ''] = /^leanvibe:\/\/(runs|artifacts)\/([\w.-]{1,100})$/.exec(uri) ?? []
  if (kind === undefined) throw new ResourceNotFoundError(uri)
  try {
    if (kind === 'runs') {
      const detail = await api.call(showRun, { params: { id }, signal })
      return { uri, mimeType: 'application/json', text: JSON.stringify(detail) }
    }
    const { mediaType: mimeType, body } = await api.bytes(artifactContent, { params: { id }, signal })
    const bytes = await readPart(body, 0, mostBytes)
    if (isText(mimeType)) return { uri, mimeType, text: new TextDecoder().decode(bytes) }
    return { uri, mimeType, blob: bytes.toString('base64') }
  } catch (error) {
    if (isAppError(error) && error.kind === 'not-found') throw new ResourceNotFoundError(uri)
    throw error
  }
}
