import { z } from '../../foundation/kernel/schema.ts'
import { describeApi, type OpenApiDocument } from '../../foundation/platform/http/openapi.ts'
import { referencePage, referenceStyle } from '../../foundation/platform/http/reference-page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { packageVersion } from '../package-info.ts'
import { namesOfContracts } from './contract-names.ts'

const description = `Every failure is a problem document (RFC 9457) with a stable \`code\`. Lists are paged: pass \`next\` as \`after\`.
Writes take an \`Idempotency-Key\`. See docs/guides/api.md.`

/** The API document and the reference made of it, both from our own origin. Written when they are asked for. */
export function documentRoutes(routes: readonly Route[]): Route[] {
  let known: OpenApiDocument | null = null
  const document = () => {
    known ??= describeRoutes(routes)
    return known
  }
  const page = (path: `/${string}`, summary: string, mediaType: string, body: () => string) =>
    route({
      ...{ method: 'GET', path, summary, permission: 'public', reply: 'page', cache: 300 },
      handle: () => ({ mediaType, body: body() }),
    })
  return [
    route({
      method: 'GET',
      path: '/openapi.json',
      summary: 'This document.',
      permission: 'public',
      output: z.record(z.string(), z.unknown()),
      cache: 300,
      handle: () => ({ ...document() }),
    }),
    page('/docs', 'The reference, to be read in a browser.', 'text/html; charset=utf-8', () =>
      referencePage(document()),
    ),
    page('/docs/reference.css', 'How the reference looks.', 'text/css; charset=utf-8', () => referenceStyle),
  ]
}

export function describeRoutes(routes: readonly Route[]): OpenApiDocument {
  return describeApi({ title: 'LeanVibe', version: packageVersion(), description, routes, ...namesOfContracts() })
}
