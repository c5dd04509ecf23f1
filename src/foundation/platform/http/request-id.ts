/** A caller's own request id, if it is harmless to repeat in headers and logs. */
export function requestIdOf(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && /^[\w.-]{1,64}$/.test(header) ? header : null
}
