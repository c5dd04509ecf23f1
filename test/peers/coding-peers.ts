import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ModelServer } from '../support/model-server/index.ts'

export const programs = fileURLToPath(new URL('node_modules/.bin', import.meta.url))

export interface CodingPeer {
  readonly command: readonly string[]
  /** Writes its settings into its home, and returns the variables that lead it to the scripted models. */
  readonly env: (server: ModelServer, home: string) => Record<string, string>
}

/** Real coding agents from npm that speak ACP. Their models are scripted. */
export const codingPeers = {
  gemini: {
    command: ['gemini', '--acp'],
    env: (server, home) => {
      mkdirSync(join(home, '.gemini'), { recursive: true })
      const settings = {
        model: { name: 'gemini-2.5-pro' },
        security: { auth: { selectedType: 'gemini-api-key' } },
        privacy: { usageStatisticsEnabled: false },
      }
      writeFileSync(join(home, '.gemini', 'settings.json'), JSON.stringify(settings))
      return { GEMINI_API_KEY: 'scripted', GOOGLE_GEMINI_BASE_URL: server.url, GEMINI_CLI_TRUST_WORKSPACE: 'true' }
    },
  },
  opencode: {
    command: ['opencode', 'acp'],
    env: (server, home) => {
      const config = {
        model: 'anthropic/claude-sonnet-4-5',
        small_model: 'anthropic/claude-sonnet-4-5',
        autoupdate: false,
        share: 'disabled',
        provider: { anthropic: { options: { baseURL: `${server.url}/v1`, apiKey: 'scripted' } } },
      }
      writeFileSync(join(home, 'opencode.json'), JSON.stringify(config))
      return {
        OPENCODE_CONFIG: join(home, 'opencode.json'),
        OPENCODE_DISABLE_MODELS_FETCH: 'true',
        OPENCODE_DISABLE_AUTOUPDATE: 'true',
        OPENCODE_DISABLE_LSP_DOWNLOAD: 'true',
      }
    },
  },
} satisfies Readonly<Record<string, CodingPeer>>

/** What a program that starts peers is given. */
export function peerEnv(home: string, own: Readonly<Record<string, string>>): Record<string, string> {
  return { HOME: home, PATH: `${programs}${delimiter}${process.env.PATH}`, ...own }
}

/** A pool of them: they edit, and start nothing. */
export function peerPool(peer: CodingPeer, own: Readonly<Record<string, string>>, more: object = {}): object {
  return {
    ...{ kind: 'acp', command: peer.command, env: ['HOME', ...Object.keys(own)] },
    ...{ permissions: { execute: 'off', other: 'off' }, confine: { write: ['~'] } },
    ...more,
  }
}

/** The folder that an agent was told to work in, out of what its model was told. */
export function workingFolder(texts: readonly string[]): string {
  return /[^\s"'<>]*\/workspaces\/[\w.-]+\/[\w-]+(?:\.[\w-]+)*/.exec(texts.join('\n'))?.[0] ?? '.'
}

/** A call of the tool by which an agent writes a file, in the words of each of them. */
export function writeCall(tools: readonly string[], texts: readonly string[], name: string, content: string) {
  const path = join(workingFolder(texts), name)
  return { name: tools.find((tool) => /^write/.test(tool))!, input: { file_path: path, filePath: path, content } }
}
