import type { Route } from './route.ts'

/** Answers which methods a path takes; none for an unknown path. Asked only when no route has matched. */
export function createMethodTable(routes: readonly Route[]): (path: string) => readonly string[] {
  const patterns = [...Map.groupBy(routes, ({ path }) => path)].map(([path, same]) => ({
    pattern: new RegExp(`^${path.split('/').map(segment).join('/')}$`),
    methods: same.map(({ method }) => method),
  }))
  return (path) => {
    const found = new Set(patterns.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))
    return [...found].sort()
  }
}

function segment(text: string): string {
  if (text === '*') return '.*'
  return text.startsWith(':') ? '[^/]+' : text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
