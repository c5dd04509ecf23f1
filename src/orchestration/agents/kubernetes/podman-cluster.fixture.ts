import { type KubernetesFile, shapeKubernetes } from '../../../foundation/platform/config/kubernetes-settings.ts'
import type { RunnerKit } from '../../runners/runner-kit.fixture.ts'
import type { TestContainers } from '../container/containers.fixture.ts'
import type { OpenPlace } from '../places/place.ts'
import { KubeServer } from './kube-server.fixture.ts'
import { openKubernetes } from './open-kubernetes.ts'
import { PodmanKubelet } from './podman-kubelet.fixture.ts'

/** Our API server with pods that are containers of this machine. */
export class PodmanCluster {
  readonly server: KubeServer
  readonly #kubelet: PodmanKubelet
  readonly #containers: TestContainers
  readonly #open: (() => Promise<void>)[] = []

  private constructor(server: KubeServer, containers: TestContainers) {
    this.server = server
    this.#containers = containers
    this.#kubelet = new PodmanKubelet(server, containers)
    server.kubelet = this.#kubelet
  }

  static async start(containers: TestContainers): Promise<PodmanCluster> {
    return new PodmanCluster(await new KubeServer().start(), containers)
  }

  /** A pool's way to its places. */
  placesFor(kit: RunnerKit, more: Partial<KubernetesFile>): OpenPlace {
    const { image } = this.#containers
    const places = openKubernetes({
      ...{ pool: 'pods', dataFolder: kit.folder, sampleMs: 60_000 },
      settings: shapeKubernetes({ image, workspaceImage: image, ...more }),
      access: async () => this.server.access,
    })
    this.#open.push(places.close)
    return places.open
  }

  async close(): Promise<void> {
    for (const close of this.#open.splice(0)) await close()
    await this.#kubelet.close()
    await this.server.close()
  }
}
