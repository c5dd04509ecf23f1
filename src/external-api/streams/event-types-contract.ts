/** First words of the types that the platform itself uses (`model` of `model-call.settled`): nobody else may publish them. */
const reserved: ReadonlySet<string> = new Set([
  ...[
    'a2a',
    'agent',
    'alert',
    'approval',
    'artifact',
    'audit',
    'backup',
    'budget',
    'checkpoint',
    'context',
    'gateway',
    'group',
    'incident',
  ],
  ...[
    'key',
    'leanvibe',
    'liveness',
    'member',
    'merge',
    'model',
    'path',
    'pool',
    'question',
    'quota',
    'registry',
    'reservation',
  ],
  ...['route', 'run', 'runner', 'scaling', 'schedule', 'session', 'step', 'stream', 'system', 'task', 'tenant', 'tool'],
  ...['webhook', 'workflow'],
])

export const customTypePattern = /^[a-z][a-z0-9_-]{0,49}(\.[a-z0-9][a-z0-9_-]{0,49}){1,5}$/

/** Whether somebody outside may publish events of this type; they can never be taken for those of the platform. */
export function isCustomType(type: string): boolean {
  const [word = ''] = type.split(/[-.]/, 1)
  return customTypePattern.test(type) && !reserved.has(word)
}

/** Comma-separated types, `task.*` for all of a kind, as a test; nothing means every type. */
export function typeFilter(types: readonly string[]): (type: string) => boolean {
  const exact = new Set(types.filter((type) => !type.endsWith('.*')))
  const kinds = types.filter((type) => type.endsWith('.*')).map((type) => type.slice(0, -1))
  if (types.length === 0 || exact.has('*')) return () => true
  return (type) => exact.has(type) || kinds.some((kind) => type.startsWith(kind))
}
