import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const program = '/usr/sbin/nginx'
export const hasNginx = existsSync(program)

/** nginx with one worker, as a proxy that keeps its connections to the upstream. */
export async function startNginx(upstream: number) {
  const folder = await mkdtemp(join(tmpdir(), 'leanvibe-bench-nginx-'))
  const port = await freePort()
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  )
  const config = `
worker_processes 1;
daemon off;
pid ${join(folder, 'pid')};
error_log ${join(folder, 'error.log')};
events { worker_connections 8192; }
http {
  ${places.join('\n  ')}
  access_log off;
  keepalive_requests 100000000;
  upstream bench { server 127.0.0.1:${upstream}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=2048;
    location /bench/ { proxy_pass http://bench; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`
  const file = join(folder, 'nginx.conf')
  await writeFile(file, config)
  const child = spawn(program, ['-p', folder, '-c', file], { stdio: 'ignore' })
  await untilOpen(port)
  return {
    port,
    path: '/bench/x',
    headers: {},
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

async function untilOpen(port: number): Promise<void> {
  for (let n = 0; n < 100; n++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return
    await delay(50)
  }
  throw new Error('nginx does not listen')
}
