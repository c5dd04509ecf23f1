import type { JsonObject } from '../foundation/kernel/json.ts'
import { showWorkflow } from '../orchestration/workflows/workflow-endpoints-contract.ts'
import type { Connection } from './connect.ts'
import type { Wanted } from './workflow-source.ts'

/** Inputs of a command line are text; the workflow says what they are meant to be. */
export async function typedInputs(
  { client }: Connection,
  wanted: Wanted,
  texts: Readonly<Record<string, string>> | undefined,
): Promise<JsonObject> {
  if (texts === undefined) return {}
  const { readSourceInputs } = await import('../app/definitions.ts')
  if ('source' in wanted) return readSourceInputs(wanted.source, texts)
  const { source } = await client.call(showWorkflow, { params: { name: wanted.name } })
  return readSourceInputs({ text: source, fileName: wanted.name }, texts)
}
