/** A coding agent that can be driven from a command line without a person. */
export interface KnownAgent {
  readonly program: string
  readonly title: string
  /** Arguments after the program. `{prompt}` stands for the task; without it the task arrives on standard input. */
  readonly args: readonly string[]
  /** Variables it reads its account from. */
  readonly env: readonly string[]
  /** What to add so that it may change files without asking. The user decides. */
  readonly unattended: string | null
}

export const knownAgents: readonly KnownAgent[] = [
  {
    program: 'claude',
    title: 'Claude Code',
    args: ['-p'],
    env: ['ANTHROPIC_API_KEY'],
    unattended: '--permission-mode acceptEdits',
  },
  { program: 'codex', title: 'Codex', args: ['exec', '-'], env: ['OPENAI_API_KEY'], unattended: '--full-auto' },
  { program: 'gemini', title: 'Gemini CLI', args: ['-p', '{prompt}'], env: ['GEMINI_API_KEY'], unattended: '--yolo' },
  {
    program: 'aider',
    title: 'Aider',
    args: ['--yes-always', '--no-pretty', '--message', '{prompt}'],
    env: ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY'],
    unattended: null,
  },
  {
    program: 'opencode',
    title: 'OpenCode',
    args: ['run', '{prompt}'],
    env: ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY'],
    unattended: null,
  },
  {
    program: 'qwen',
    title: 'Qwen Code',
    args: ['-p', '{prompt}'],
    env: ['DASHSCOPE_API_KEY', 'OPENAI_API_KEY'],
    unattended: '--yolo',
  },
  {
    program: 'goose',
    title: 'Goose',
    args: ['run', '--no-session', '-t', '{prompt}'],
    env: ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY'],
    unattended: null,
  },
  {
    program: 'cursor-agent',
    title: 'Cursor',
    args: ['-p', '{prompt}'],
    env: ['CURSOR_API_KEY'],
    unattended: '--force',
  },
  {
    program: 'copilot',
    title: 'GitHub Copilot CLI',
    args: ['-p', '{prompt}'],
    env: ['GH_TOKEN'],
    unattended: '--allow-all-tools',
  },
]
