import replyFrom from '@fastify/reply-from'
import fastify from 'fastify'
import { serveCalls } from '../harness/worker-process.ts'

const app = fastify({ logger: false })

/** A proxy as its documentation shows one, and nothing else: no keys, no limits, no figures. */
async function listen({ upstream }: { readonly upstream: string }) {
  app.register(replyFrom, { base: upstream })
  app.get('/bench/*', (_request, reply) => reply.from('/'))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { port, path: '/bench/x', headers: {} }
}

serveCalls({ start: async () => null, listen, stop: () => app.close() })
