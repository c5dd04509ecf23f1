import { sessionErrors } from '../../sessions/session-errors.ts'
import type { ToolGrants } from '../../sessions/tool-grants.ts'
import { llmErrors } from '../llm-errors.ts'
import type { Tool } from './tool.ts'

const mostGranted = 200

/** Tools of MCP servers that the pool grants; what may be called of them is decided where they are called. */
export async function grantedTools(grants: ToolGrants, signal: AbortSignal): Promise<readonly Tool[]> {
  if (grants.servers.length === 0) return []
  const granted = await grants.list()
  if (granted.length > mostGranted)
    throw sessionErrors['agent-limit'](`its servers have ${granted.length} tools; a model is given ${mostGranted}`)
  return granted.map(
    ({ server, name, qualified, description, inputSchema }): Tool => ({
      name: qualified,
      kind: null,
      description: (description ?? name).slice(0, 4_000),
      input: inputSchema,
      title: (input) => JSON.stringify(input).slice(0, 500),
      async call(input) {
        const { text, isError } = await grants.call({ server, tool: name, arguments: input }, signal)
        if (isError) throw llmErrors['tool-failed'](text)
        return text
      },
    }),
  )
}
