import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { messageOf } from '../../../foundation/kernel/errors.ts'
import { runTool } from '../../../foundation/platform/processes/index.ts'
import { kubeErrors } from './kube-errors.ts'

/** The way to the API server of a cluster. */
export interface KubeAccess {
  readonly server: string
  readonly namespace: string
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly insecure: boolean
  /** A bearer token; asked for anew, because tokens are replaced. Null: none. */
  readonly token: () => Promise<string | null>
  /** Where it comes from, for people. */
  readonly source: string
}

export interface KubeConfigOptions {
  /** Path of a kubeconfig; null: where they usually are. */
  readonly kubeconfig: string | null
  readonly context: string | null
  readonly namespace: string | null
  readonly variable: (name: string) => string | undefined
  readonly home: string | null
  /** Where the service account of a pod is. */
  readonly accountFolder?: string
  readonly now?: () => number
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'
const tokenMs = 60_000

/** @throws kube-config-invalid */
export async function readKubeAccess(options: KubeConfigOptions): Promise<KubeAccess> {
  const { kubeconfig, variable, home } = options
  const named = kubeconfig ?? variable('KUBECONFIG')?.split(':')[0] ?? null
  if (named !== null && named !== '') return fromFile(named, options)
  const usual = home === null ? null : join(home, '.kube/config')
  const host = variable('KUBERNETES_SERVICE_HOST')
  if (host !== undefined && host !== '') return inCluster(host, options)
  if (usual === null) throw kubeErrors['kube-config-invalid']('there is no kubeconfig')
  return fromFile(usual, options)
}

async function inCluster(host: string, options: KubeConfigOptions): Promise<KubeAccess> {
  const folder = options.accountFolder ?? serviceAccount
  const port = options.variable('KUBERNETES_SERVICE_PORT') ?? '443'
  const namespace = await readFile(join(folder, 'namespace'), 'utf8').catch(() => 'default')
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: options.namespace ?? namespace.trim(),
    ca: await read(join(folder, 'ca.crt')),
    ...{ cert: undefined, key: undefined, insecure: false },
    token: remembered(() => read(join(folder, 'token')), options.now),
    source: 'the service account of this pod',
  }
}

interface Named<K extends string, T> {
  readonly name: string
  readonly [key: string]: unknown
  readonly value?: T & K
}

type Fields = Readonly<Record<string, unknown>>

async function fromFile(path: string, options: KubeConfigOptions): Promise<KubeAccess> {
  let file: Fields
  try {
    file = (parse(await readFile(path, 'utf8')) ?? {}) as Fields
  } catch (error) {
    throw kubeErrors['kube-config-invalid'](`${path}: ${messageOf(error)}`)
  }
  const wrong = (text: string) => kubeErrors['kube-config-invalid'](`${path}: ${text}`)
  const find = (list: string, name: unknown, key: string): Fields => {
    const entries = Array.isArray(file[list]) ? (file[list] as readonly Named<string, Fields>[]) : []
    const found = entries.find((entry) => entry.name === name)?.[key]
    if (typeof found !== 'object' || found === null) throw wrong(`there is no ${key} ${JSON.stringify(name ?? null)}`)
    return found as Fields
  }
  const context = find('contexts', options.context ?? file['current-context'], 'context')
  const cluster = find('clusters', context.cluster, 'cluster')
  const user = context.user === undefined ? {} : find('users', context.user, 'user')
  const server = word(cluster.server)
  if (server === null || !/^https?:\/\//.test(server)) throw wrong('its cluster has no server')
  const folder = dirname(path)
  const load = async (fields: Fields, name: string) => {
    const data = word(fields[`${name}-data`])
    const file = word(fields[name])
    if (data !== null) return Buffer.from(data, 'base64').toString('utf8')
    return file === null ? undefined : read(resolve(folder, file))
  }
  const token = word(user.token)
  const tokenFile = word(user.tokenFile)
  const exec = typeof user.exec === 'object' && user.exec !== null ? (user.exec as Fields) : null
  const fetchToken =
    token !== null
      ? async () => token
      : tokenFile !== null
        ? remembered(() => read(resolve(folder, tokenFile)), options.now)
        : exec !== null
          ? remembered(() => askPlugin(exec, options.variable), options.now)
          : async () => null
  return {
    server: server.replace(/\/+$/, ''),
    namespace: options.namespace ?? word(context.namespace) ?? 'default',
    ca: await load(cluster, 'certificate-authority'),
    cert: await load(user, 'client-certificate'),
    key: await load(user, 'client-key'),
    insecure: cluster['insecure-skip-tls-verify'] === true,
    token: fetchToken,
    source: path,
  }
}

/** Asks a credential plugin, as kubectl does. */
async function askPlugin(exec: Fields, variable: (name: string) => string | undefined): Promise<string> {
  const env: Record<string, string> = {}
  for (const name of ['PATH', 'HOME', 'XDG_CONFIG_HOME', 'AWS_PROFILE', 'CLOUDSDK_CONFIG', 'AZURE_CONFIG_DIR']) {
    const value = variable(name)
    if (value !== undefined) env[name] = value
  }
  for (const each of Array.isArray(exec.env) ? (exec.env as readonly Fields[]) : [])
    env[String(each.name)] = String(each.value)
  const { apiVersion } = exec
  env.KUBERNETES_EXEC_INFO = JSON.stringify({ apiVersion, kind: 'ExecCredential', spec: { interactive: false } })
  const args = Array.isArray(exec.args) ? exec.args.map(String) : []
  const { code, stdout, stderr } = await runTool(String(exec.command), args, { env, timeoutMs: 30_000 })
  if (code !== 0) throw kubeErrors['kube-config-invalid'](`${exec.command}: ${stderr.trim().split('\n').at(-1)}`)
  const answer = parse(stdout) as { readonly status?: { readonly token?: unknown } } | null
  const token = word(answer?.status?.token)
  if (token === null) throw kubeErrors['kube-config-invalid'](`${exec.command} gave no token`)
  return token
}

function remembered(fetch: () => Promise<string>, now: () => number = () => performance.now()) {
  let held: { readonly at: number; readonly value: Promise<string> } | null = null
  return () => {
    if (held === null || now() - held.at > tokenMs) {
      const value = fetch().then((token) => token.trim())
      held = { at: now(), value }
      value.catch(() => {
        held = null
      })
    }
    return held.value
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw kubeErrors['kube-config-invalid'](messageOf(error))
  }
}

function word(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
