import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WebSocket } from 'ws'
import type { TestContainers } from '../container/containers.fixture.ts'
import type { ExecCall, Kubelet, KubeServer, LogSource } from './kube-server.fixture.ts'
import type { Stored } from './kube-store.fixture.ts'

interface ContainerSpec {
  readonly name: string
  readonly command: readonly string[]
  readonly workingDir?: string
  readonly stdin?: boolean
  readonly env?: readonly { readonly name: string; readonly value: string }[]
  readonly envFrom?: readonly { readonly secretRef: { readonly name: string } }[]
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
  readonly securityContext: { readonly readOnlyRootFilesystem: boolean }
  readonly resources: { readonly limits: { readonly memory: string } }
}

interface Running {
  readonly child: ChildProcess
  readonly container: string
  readonly lines: { at: string; text: string }[]
  readonly listeners: Set<() => void>
  readonly attached: Set<WebSocket>
  held: string
  over: boolean
  tick: number
}

/** Runs the containers of pods with podman: real namespaces, users, read-only roots and limits. */
export class PodmanKubelet implements Kubelet {
  readonly #containers: TestContainers
  readonly #server: KubeServer
  readonly #folder = mkdtempSync(join(tmpdir(), 'leanvibe-kubelet-'))
  readonly #running = new Map<string, Running>()
  readonly #deleted = new Set<string>()
  readonly #ending = new Map<string, Promise<void>>()

  constructor(server: KubeServer, containers: TestContainers) {
    this.#server = server
    this.#containers = containers
    chmodSync(this.#folder, 0o755)
  }

  created(pod: Stored): void {
    void this.#perform(pod).catch((error) => console.error('kubelet:', error))
  }

  async deleted({ metadata: { name } }: Stored, graceSeconds: number): Promise<void> {
    // Told twice, it waits for what it began with.
    const begun = this.#ending.get(name)
    if (begun !== undefined) return begun
    const ending = this.#endAll(name, graceSeconds)
    this.#ending.set(name, ending)
    return ending
  }

  async #endAll(name: string, graceSeconds: number): Promise<void> {
    this.#deleted.add(name)
    const mine = [...this.#running].filter(([key, { over }]) => key.startsWith(`${name}/`) && !over)
    // Only who works is asked first.
    await Promise.all(mine.map(([key, running]) => this.#end(running, key.endsWith('/agent') ? graceSeconds : 0)))
  }

  async #end(running: Running, graceSeconds: number): Promise<void> {
    const { container } = running
    const over = () => running.over
    if (graceSeconds > 0) await this.#podman('kill', '--signal', 'TERM', container)
    for (let left = graceSeconds * 20; left > 0 && !over(); left--) await new Promise((done) => setTimeout(done, 50))
    // Podman takes its time to tell that it is done; the API server of a cluster does not wait for it either.
    if (!over()) void this.#podman('kill', '--signal', 'KILL', container)
  }

  exec({ verb, pod, container, command, stdin }: ExecCall, socket: WebSocket): void {
    const running = this.#running.get(`${pod}/${container}`)
    if (running === undefined || running.over) {
      finish(socket, null, `container ${container} is not running`)
      return
    }
    if (verb === 'attach') {
      running.attached.add(socket)
      socket.on('message', (data: Buffer) => {
        if (data[0] === 0) running.child.stdin?.write(data.subarray(1))
        else if (data[0] === 255) running.child.stdin?.end()
      })
      socket.on('close', () => running.attached.delete(socket))
      return
    }
    const env = { ...process.env, CONTAINERS_CONF: this.#containers.variable('CONTAINERS_CONF') ?? '' }
    const args = ['exec', ...(stdin ? ['-i'] : []), running.container, ...command]
    const child = spawn('podman', args, { env: clean(env), stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'] })
    child.stdin?.on('error', () => {})
    child.stdout!.on('data', (chunk: Buffer) => socket.send(Buffer.concat([Buffer.from([1]), chunk])))
    child.stderr!.on('data', (chunk: Buffer) => socket.send(Buffer.concat([Buffer.from([2]), chunk])))
    socket.on('message', (data: Buffer) => {
      if (data[0] === 0) child.stdin?.write(data.subarray(1))
      else if (data[0] === 255) child.stdin?.end()
    })
    child.once('close', (code) => finish(socket, code ?? 137, ''))
    socket.on('close', () => child.kill('SIGKILL'))
  }

  log(pod: string, container: string): LogSource | null {
    const running = this.#running.get(`${pod}/${container}`)
    if (running === undefined) return null
    return {
      lines: running.lines,
      ended: () => running.over,
      onChange(listen) {
        running.listeners.add(listen)
        return () => running.listeners.delete(listen)
      },
    }
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.#running.values()].map(({ container }) => this.#podman('rm', '-f', '-t', '0', container)),
    )
    rmSync(this.#folder, { recursive: true, force: true })
    // What it ran as somebody else's stays with the folder's owner, who is root where this runs.
  }

  async #perform(pod: Stored): Promise<void> {
    const spec = pod.spec as unknown as {
      readonly securityContext: { readonly runAsUser: number }
      readonly initContainers?: readonly ContainerSpec[]
      readonly containers: readonly ContainerSpec[]
      readonly volumes: readonly { readonly name: string }[]
    }
    const { name } = pod.metadata
    for (const volume of spec.volumes) {
      const folder = join(this.#folder, name, volume.name)
      mkdirSync(folder, { recursive: true })
      chmodSync(folder, 0o777)
    }
    const user = spec.securityContext.runAsUser
    for (const each of spec.initContainers ?? []) {
      const code = await this.#run(pod, each, user, 'initContainerStatuses')
      if (code !== 0) return this.#phase(pod, 'Failed')
    }
    const codes = await Promise.all(spec.containers.map((each) => this.#run(pod, each, user, 'containerStatuses')))
    this.#phase(pod, codes.every((code) => code === 0) ? 'Succeeded' : 'Failed')
  }

  #run(pod: Stored, spec: ContainerSpec, user: number, list: string): Promise<number> {
    const { name } = pod.metadata
    const container = `kubelet-${process.pid}-${name}-${spec.name}`
    const namespace = pod.metadata.namespace ?? 'agents'
    const secrets = (spec.envFrom ?? []).flatMap(({ secretRef }) => {
      const secret = this.#server.store.get(`/api/v1/namespaces/${namespace}/secrets`, secretRef.name)
      return Object.entries((secret as unknown as { stringData: Record<string, string> })?.stringData ?? {})
    })
    const variables = [...secrets, ...(spec.env ?? []).map(({ name: key, value }) => [key, value] as const)]
    const [file = '', ...args] = spec.command
    const line = [
      ...['run', '--name', container, '--network', 'none', '--user', `${user}:${user}`, '--cap-drop', 'ALL'],
      ...['--security-opt', 'no-new-privileges', '--memory', memoryOf(spec.resources.limits.memory)],
      ...(spec.stdin ? ['-i'] : []),
      ...(spec.securityContext.readOnlyRootFilesystem ? ['--read-only'] : []),
      ...(spec.workingDir === undefined ? [] : ['--workdir', spec.workingDir]),
      ...spec.volumeMounts.flatMap(({ name: volume, mountPath }) => [
        '-v',
        `${join(this.#folder, name, volume)}:${mountPath}`,
      ]),
      ...this.#containers.node.flatMap(({ from }) => ['-v', `${from}:${from}:ro`]),
      ...variables.flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      ...['--entrypoint', file, this.#containers.image, ...args],
    ]
    const env = { ...process.env, CONTAINERS_CONF: this.#containers.variable('CONTAINERS_CONF') ?? '' }
    const child = spawn('podman', line, {
      cwd: this.#folder,
      env: clean(env),
      stdio: [spec.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    })
    const running: Running = {
      ...{ child, container, lines: [], listeners: new Set(), attached: new Set(), held: '', over: false, tick: 0 },
    }
    this.#running.set(`${name}/${spec.name}`, running)
    child.stdin?.on('error', () => {})
    const take = (channel: number) => (chunk: Buffer) => {
      for (const socket of running.attached) socket.send(Buffer.concat([Buffer.from([channel]), chunk]))
      const parts = (running.held + chunk.toString('utf8')).split('\n')
      running.held = parts.pop()!
      for (const text of parts) running.lines.push({ at: stamp(running), text })
      for (const listen of running.listeners) listen()
    }
    child.stdout!.on('data', take(1))
    child.stderr!.on('data', take(2))
    void this.#seen(running).then(() => {
      if (!running.over) this.#status(pod, list, spec.name, { running: { startedAt: new Date().toISOString() } })
    })
    return new Promise((resolve) => {
      child.once('close', async (code) => {
        if (running.held !== '') running.lines.push({ at: stamp(running), text: running.held })
        running.held = ''
        running.over = true
        for (const listen of running.listeners) listen()
        for (const socket of running.attached) finish(socket, code ?? 137, '')
        const memory = code === 137 && spec.name === 'agent' && !this.#deleted.has(name)
        const said = running.lines.at(-1)?.text ?? ''
        const never = (code === 126 || code === 127) && /crun|runc|OCI/.test(said)
        const reason = memory ? 'OOMKilled' : never ? 'StartError' : code === 0 ? 'Completed' : 'Error'
        this.#status(pod, list, spec.name, {
          terminated: { exitCode: code ?? 137, reason, message: never ? said : '' },
        })
        await this.#podman('rm', '-f', '-t', '0', container)
        resolve(code ?? 137)
      })
    })
  }

  /** Waits until it runs, or is over. */
  async #seen({ container, ...running }: Running): Promise<void> {
    for (let tries = 0; tries < 600 && running.child.exitCode === null; tries++) {
      const state = await this.#podman('inspect', '--format', '{{.State.Status}}', container)
      if (state !== '' && state !== 'created' && state !== 'configured') return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  #status(pod: Stored, list: string, container: string, state: object): void {
    this.#server.store.update(this.#pods(pod), pod.metadata.name, (now) => {
      const statuses = (now.status?.[list] ?? []) as readonly { name: string }[]
      const rest = statuses.filter(({ name }) => name !== container)
      const phase = list === 'containerStatuses' ? 'Running' : 'Pending'
      return { ...now, status: { ...now.status, phase, [list]: [...rest, { name: container, state }] } }
    })
  }

  #phase(pod: Stored, phase: string): void {
    this.#server.store.update(this.#pods(pod), pod.metadata.name, (now) => ({
      ...now,
      status: { ...now.status, phase },
    }))
  }

  #pods(pod: Stored): string {
    return `/api/v1/namespaces/${pod.metadata.namespace ?? 'agents'}/pods`
  }

  #podman(...args: readonly string[]): Promise<string> {
    const env = { ...process.env, CONTAINERS_CONF: this.#containers.variable('CONTAINERS_CONF') ?? '' }
    return new Promise((resolve) => {
      execFile('podman', [...args], { env: clean(env), timeout: 30_000 }, (_, stdout) => resolve(stdout.trim()))
    })
  }
}

function finish(socket: WebSocket, code: number | null, message: string): void {
  const status =
    code === 0
      ? { status: 'Success' }
      : code === null
        ? { status: 'Failure', message }
        : {
            status: 'Failure',
            reason: 'NonZeroExitCode',
            details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
          }
  socket.send(Buffer.concat([Buffer.from([3]), Buffer.from(JSON.stringify(status))]), () => socket.close())
}

/** Nanoseconds, growing, as the runtime writes them. */
function stamp(running: { tick: number }): string {
  running.tick += 1
  return new Date().toISOString().replace('Z', `${String(running.tick % 1_000_000).padStart(6, '0')}Z`)
}

function memoryOf(text: string): string {
  return text.replace(/Mi$/, 'm').replace(/Gi$/, 'g')
}

function clean(env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== '' && value !== undefined))
}
