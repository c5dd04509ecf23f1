/**
 * Whether a path means the same to everybody who reads it. Servers differ in what they make of dot segments, of slashes
 * and backslashes that are encoded, of empty segments and of control characters: whoever sends them may mean to get past
 * the rule of one to the reading of another.
 */
export function isUnambiguous(path: string): boolean {
  // Most are of plain words: one look does.
  return /^(?:\/[\w-]+)+$/.test(path) || isWithoutTricks(path)
}

function isWithoutTricks(path: string): boolean {
  return (
    !/[\\\0-\x20\x7f-\uffff#]/.test(path) &&
    !/%(?:00|2f|5c|0a|0d|25)/i.test(path) &&
    !/%(?![0-9a-f]{2})/i.test(path) &&
    !/\/\//.test(path) &&
    !/(?:^|\/)(?:\.|%2e){1,2}(?:[;/]|$)/i.test(path)
  )
}

/** A query in which nothing can end the request line or begin a header. */
export function isPlainQuery(query: string): boolean {
  return !/[\0-\x20\x7f-\uffff#]/.test(query)
}

/** Fills the parameters of a match into the path that upstreams are asked for. */
export function rewritePath(pattern: string, params: Readonly<Record<string, string>>): string {
  return pattern
    .split('/')
    .map((segment) =>
      segment === '*' ? (params['*'] ?? '') : segment.startsWith(':') ? (params[segment.slice(1)] ?? '') : segment,
    )
    .join('/')
}
