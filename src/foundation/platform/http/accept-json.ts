import type { FastifyInstance, FastifyRequest } from 'fastify'
import { httpErrors } from './http-errors.ts'
import { parseJsonBody } from './json-body.ts'

/** Takes JSON as it is, and no other body. */
export function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, async (request: FastifyRequest, body: string) => {
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      throw httpErrors['media-type-unsupported'](`a body with content-encoding ${encoding} is not taken`)
    }
    return parseJsonBody(body)
  })
}
