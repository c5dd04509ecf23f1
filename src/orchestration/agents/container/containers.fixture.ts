import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type ContainerFile,
  type ContainerMount,
  shapeContainer,
} from '../../../foundation/platform/config/container-settings.ts'
import type { RunnerKit } from '../../runners/runner-kit.fixture.ts'
import type { OpenPlace } from '../places/place.ts'
import { findCli } from './container-cli.ts'
import { openContainers } from './container-place.ts'

const image = 'localhost/leanvibe-test:2'
/** What a host that may not raise limits, or has control groups of both versions, must be told. */
const modest = `[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
`

/** A real podman with an image made of nothing but busybox. */
export interface TestContainers {
  readonly image: string
  /** For the CLI: where its configuration is, if it needs one of its own. */
  variable(name: string): string | undefined
  podman(...args: readonly string[]): string
  /** Node, and the sources of this project, as mounts. */
  readonly node: readonly ContainerMount[]
  remove(): void
}

/** Null with the reason where containers cannot be run. Under CI, root installs what is missing. */
export function testContainers(): TestContainers | { readonly reason: string } {
  if (process.platform !== 'linux') return { reason: 'containers are tested on Linux' }
  if (process.env.CI && process.getuid?.() === 0 && !(installed('podman') && existsSync('/bin/busybox')))
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', 'podman', 'runc', 'busybox-static'], {
      stdio: 'ignore',
      timeout: 240_000,
    })
  if (!installed('podman')) return { reason: 'podman is not installed: apt-get install podman runc' }
  if (!existsSync('/bin/busybox')) return { reason: 'there is no busybox: apt-get install busybox-static' }
  const folder = mkdtempSync(join(tmpdir(), 'leanvibe-podman-'))
  const conf = join(folder, 'containers.conf')
  writeFileSync(conf, modest)
  const attempts: readonly Readonly<Record<string, string>>[] = [{}, { CONTAINERS_CONF: conf }]
  let reason = ''
  for (const extra of attempts) {
    const env = { ...process.env, ...extra }
    const run = (...args: readonly string[]) =>
      spawnSync('podman', [...args], { env, encoding: 'utf8', timeout: 60_000 })
    if (run('image', 'exists', image).status !== 0) importImage(folder, env)
    const trial = run('run', '--rm', '--network', 'none', '--memory', '64m', image, 'echo', 'well')
    if (trial.stdout.trim() === 'well')
      return {
        image,
        variable: (name) => env[name],
        podman: (...args) => execFileSync('podman', [...args], { env, encoding: 'utf8', timeout: 60_000 }),
        node: nodeMounts(),
        remove: () => rmSync(folder, { recursive: true, force: true }),
      }
    reason = `podman cannot run containers here: ${trial.stderr.trim().split('\n').at(-1)}`
  }
  rmSync(folder, { recursive: true, force: true })
  return { reason }
}

function installed(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0
}

function importImage(folder: string, env: NodeJS.ProcessEnv): void {
  const root = join(folder, 'root')
  for (const name of ['bin', 'tmp', 'etc', 'usr/bin', 'lib', 'lib64', 'usr/lib'])
    mkdirSync(join(root, name), { recursive: true })
  chmodSync(join(root, 'tmp'), 0o1777)
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
  const applets =
    'sh cat echo sleep id ls touch env true false kill dd yes head tail tr ps grep mkdir rm wget test find tar'
  for (const name of applets.split(' ')) symlinkSync('busybox', join(root, 'bin', name))
  symlinkSync('/bin/env', join(root, 'usr/bin/env'))
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\n')
  const archive = join(folder, 'image.tar')
  execFileSync('tar', ['-C', root, '-cf', archive, '.'])
  execFileSync('podman', ['import', archive, image], { env, stdio: 'ignore', timeout: 60_000 })
}

/** The program that runs this test, with the libraries it is linked to. */
function nodeMounts(): ContainerMount[] {
  const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' })
  const paths = [...libraries.matchAll(/(\/\S+)\s+\(0x/g)].map((match) => match[1]!)
  const project = fileURLToPath(new URL('../../../..', import.meta.url)).replace(/\/$/, '')
  const all = [...paths, process.execPath, project]
  return [...new Set(all)].map((from) => ({ from, to: null, write: false }))
}

/** Places as a pool with these settings would have them. */
export function placesFor(containers: TestContainers, kit: RunnerKit, more: Partial<ContainerFile> = {}): OpenPlace {
  const settings = shapeContainer({ image: containers.image, pull: 'never', ...more })
  return openContainers({
    ...{ pool: 'boxed', settings, supervisor: kit.supervisor, dataFolder: kit.folder, sampleMs: 500 },
    mounts: settings.mounts.map(({ from, to, write }) => ({ from, to: to ?? from, write })),
    cli: () => findCli('podman', containers.variable),
  })
}
