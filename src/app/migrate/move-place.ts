import { resolve } from 'node:path'
import { migrateErrors } from './migrate-errors.ts'

/** Where a database is moved to: a PostgreSQL server, or a data folder that gets an embedded database. */
export type MovePlace =
  | { readonly kind: 'postgres'; readonly url: string; readonly shown: string }
  | { readonly kind: 'pglite'; readonly folder: string; readonly shown: string }

/** Reads `postgres://...`, `file:///folder` or a folder. Errors: `move-place-unknown`. */
export function parseMovePlace(text: string, cwd: string): MovePlace {
  if (/^postgres(ql)?:\/\//.test(text)) {
    if (!URL.canParse(text)) throw migrateErrors['move-place-unknown']('that is not a URL of a PostgreSQL database')
    return { kind: 'postgres', url: text, shown: shownUrl(text) }
  }
  const folder = /^file:/.test(text) ? pathOf(text) : text
  if (folder === '' || /^[a-z][a-z0-9+.-]*:\/\//i.test(folder)) {
    throw migrateErrors['move-place-unknown']('a database cannot be moved there')
  }
  const path = resolve(cwd, folder)
  return { kind: 'pglite', folder: path, shown: path }
}

function pathOf(text: string): string {
  const rest = text.slice('file:'.length)
  return URL.canParse(text) && rest.startsWith('//') ? decodeURIComponent(new URL(text).pathname) : rest
}

/** Host and database of a URL, without user, password and settings. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return 'PostgreSQL'
  const { host, pathname } = new URL(url)
  return `postgres://${host}${pathname}`
}
