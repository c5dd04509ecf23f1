import { expect, test } from 'vitest'
import { isGrantedTool } from './granted-tool.ts'

test.each([
  [{ kind: 'other', title: 'read_text_file (files MCP Server)' }, true],
  [{ kind: 'other', name: 'mcp__files__read_text_file', title: 'Read' }, true],
  [{ name: 'mcp_files_read_text_file' }, true],
  [{ kind: 'other', title: 'files__read_text_file' }, true],
  [{ kind: 'execute', title: 'rm -rf / (files MCP Server)' }, false],
  [{ kind: 'edit', name: 'mcp__files__write' }, false],
  [{ kind: 'other', title: 'read_text_file (other MCP Server)' }, false],
  [{ kind: 'other', title: 'mcp__filesystem__read' }, false],
  [{ kind: 'other', title: null }, false],
] as const)('%j: %s', (call, granted) => {
  expect(isGrantedTool({ toolCallId: '1', ...call }, ['files'])).toBe(granted)
  expect(isGrantedTool({ toolCallId: '1', ...call }, [])).toBe(false)
})
