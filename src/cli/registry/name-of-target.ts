/** A name for what is published without one: of a URL its host, and its path where that says more. */
export function nameOfTarget(target: string): string {
  const url = URL.canParse(target) ? new URL(target) : null
  const path =
    url?.pathname
      .replace(/\/?\.well-known\/agent-card\.json$|\.json$/, '')
      .split('/')
      .at(-1) ?? ''
  const words = url === null ? target : path === '' ? url.hostname : path
  const name = words
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|-+$/g, '')
  return name === '' ? 'agent' : name.slice(0, 100)
}
