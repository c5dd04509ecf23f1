import type { RunId } from '../foundation/kernel/ids.ts'
import { type BlobStore, openBlobStore } from '../foundation/platform/blobs/index.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import type { Route } from '../foundation/platform/http/route.ts'
import { logRoutes } from '../observability/logs/log-routes.ts'
import { LogStore } from '../observability/logs/log-store.ts'
import { artifactRoutes } from '../orchestration/artifacts/artifacts-routes.ts'
import { createArtifactSink } from '../orchestration/artifacts/store-artifact.ts'
import type { ArtifactSink } from '../orchestration/runners/artifact-sink.ts'
import type { LogSink } from '../orchestration/runners/log-sink.ts'
import { findRun, readSteps, runCreatedAt } from '../orchestration/runs/runs-store.ts'
import { isRunEnded } from '../orchestration/runs/states-contract.ts'
import { placeOfTask, taskRange } from '../orchestration/runs/task-ids-contract.ts'

export interface Storage {
  readonly blobs: BlobStore
  readonly artifacts: ArtifactSink
  readonly logs: LogSink
  readonly routes: readonly Route[]
}

/** Where contents are kept: files of the data folder beside the embedded database, rows where there is a server. */
export function createStorage({
  database,
  loaded,
}: {
  readonly database: Database
  readonly loaded: LoadedConfig
}): Storage {
  const { config } = loaded
  const blobs = openBlobStore({
    location: config.blobs,
    dataFolder: config.dataFolder,
    database,
    variable: (name) => loaded.env.variable(name),
  })
  const routes = [
    ...artifactRoutes(database, blobs),
    ...logRoutes(database, {
      async look(tx, tenant, runId) {
        await runCreatedAt(tx, tenant, runId)
        const run = await findRun(tx, tenant, runId)
        const steps = await readSteps(tx, [{ tenant, runId: runId as RunId }])
        const rows = steps.get(`${tenant}/${runId}`) ?? []
        return {
          ended: run === null || isRunEnded(run.state),
          steps: new Map(rows.map((row) => [row.position, row.step])),
        }
      },
      taskPrefixOf: (runId, position) => taskRange(runId, position).from.slice(0, -1),
      placeOf: placeOfTask,
    }),
  ]
  return {
    blobs,
    artifacts: createArtifactSink({ blobs, maxBytes: config.limits.artifactBytes }),
    logs: new LogStore(database),
    routes,
  }
}
