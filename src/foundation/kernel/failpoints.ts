/**
 * Named places where a test may make the process die or fail. Armed only through `armFailpoints`, which the
 * configuration calls with `LEANVIBE_FAILPOINTS`; unarmed, a call costs one comparison.
 * Syntax: `name=kill`, `name=error`, `name=kill@3` (the third time), separated by `;`.
 */
type Action = 'kill' | 'error'
interface Armed {
  readonly action: Action
  remaining: number
}

let armed: Map<string, Armed> | null = null
let listener: ((name: string) => void) | null = null

export function armFailpoints(text: string): void {
  armed = new Map()
  for (const part of text.split(';').filter((item) => item !== '')) {
    const match = /^([a-z.-]+)=(kill|error)(?:@(\d+))?$/.exec(part.trim())
    if (!match) throw new Error(`failpoint ${JSON.stringify(part)} is not name=kill|error[@n]`)
    armed.set(match[1]!, { action: match[2] as Action, remaining: Number(match[3] ?? 1) })
  }
}

/** Tells `listener` each name that is passed: how a test learns which failpoints a journey crosses. */
export function watchFailpoints(onPass: ((name: string) => void) | null): void {
  listener = onPass
}

export function failpoint(name: string): void {
  if (listener !== null) listener(name)
  if (armed === null) return
  const point = armed.get(name)
  if (point === undefined || --point.remaining !== 0) return
  if (point.action === 'kill') process.kill(process.pid, 'SIGKILL')
  throw new Error(`failpoint ${name}`)
}
