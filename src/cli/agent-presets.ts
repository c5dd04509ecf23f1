/** A coding agent that speaks the Agent Client Protocol, and what its pool needs to be told. */
export interface AgentPreset {
  readonly name: string
  readonly title: string
  /** Programs with their arguments; the first that is on the PATH is taken. */
  readonly commands: readonly (readonly string[])[]
  /** The npm package that brings the program along; null: it comes another way. */
  readonly npm: string | null
  /** Variables it reads its account from. */
  readonly env: readonly string[]
  /** Where it keeps its sign-in and its sessions: writable for it even where the home folder is not. */
  readonly write: readonly string[]
}

export const agentPresets: readonly AgentPreset[] = [
  {
    name: 'claude',
    title: 'Claude Code',
    commands: [['claude-agent-acp'], ['claude-code-acp']],
    npm: '@agentclientprotocol/claude-agent-acp',
    env: ['ANTHROPIC_API_KEY', 'ANTHROPIC_BASE_URL'],
    write: ['~/.claude', '~/.claude.json'],
  },
  {
    name: 'codex',
    title: 'Codex',
    commands: [['codex-acp']],
    npm: '@agentclientprotocol/codex-acp',
    env: ['OPENAI_API_KEY', 'CODEX_API_KEY', 'OPENAI_BASE_URL'],
    write: ['~/.codex'],
  },
  {
    name: 'gemini',
    title: 'Gemini CLI',
    commands: [['gemini', '--acp']],
    npm: '@google/gemini-cli',
    env: ['GEMINI_API_KEY', 'GOOGLE_GEMINI_BASE_URL'],
    write: ['~/.gemini'],
  },
  {
    name: 'opencode',
    title: 'OpenCode',
    commands: [['opencode', 'acp']],
    npm: 'opencode-ai',
    env: ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'OPENCODE_CONFIG'],
    write: ['~/.config/opencode', '~/.local/share/opencode', '~/.local/state/opencode', '~/.cache/opencode'],
  },
  {
    name: 'qwen',
    title: 'Qwen Code',
    commands: [['qwen', '--acp']],
    npm: '@qwen-code/qwen-code',
    env: ['OPENAI_API_KEY', 'DASHSCOPE_API_KEY', 'OPENAI_BASE_URL'],
    write: ['~/.qwen'],
  },
  {
    name: 'goose',
    title: 'Goose',
    commands: [['goose', 'acp']],
    npm: null,
    env: ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GOOSE_PROVIDER', 'GOOSE_MODEL'],
    write: ['~/.config/goose', '~/.local/share/goose', '~/.local/state/goose'],
  },
]
