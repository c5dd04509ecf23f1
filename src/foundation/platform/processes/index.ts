export { CappedOutput, defaultOutputCap } from './capped-output.ts'
export { type CommandToConfine, confineCommand, type Launcher } from './confinement/confine-command.ts'
export {
  type Confinement,
  enforcedBy,
  type HostConfinement,
  lackOf,
  type NetworkRule,
  unconfined,
} from './confinement/confinement.ts'
export { detectConfinement } from './confinement/detect-confinement.ts'
export { watchDisk } from './disk-watch.ts'
export type { FamilyTarget } from './find-families.ts'
export { findProgram } from './find-program.ts'
export { folderBytes } from './folder-bytes.ts'
export { hostEnvironment } from './host-environment.ts'
export { doorInside } from './network/door-inside.ts'
export { listenInside, type NetworkOf } from './network/listen-inside.ts'
export type { OnOutput } from './output-pipe.ts'
export { processErrors } from './process-errors.ts'
export type { LimitBreach, ProcessLimits } from './process-limits.ts'
export type { ProcessEntry, ProcessTable } from './process-table.ts'
export type { ProcessUsage } from './process-usage.ts'
export { runTool, type ToolAnswer } from './run-tool.ts'
export { type ProcessEnd, type RunningProcess, type StartProcess, Supervisor } from './supervisor.ts'
export type { SupervisorOptions } from './supervisor-link.ts'
export { aliveOf, endMarked, type SweepReport, sweepLeftovers } from './sweep-leftovers.ts'
export { processScope, systemProcessTable } from './system-process-table.ts'
