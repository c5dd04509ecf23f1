export { ModelServer, type ModelServerOptions } from './model-server.ts'
export type { Reply, Rule, ScriptedTool, ScriptedUsage, SeenRequest, WireForm } from './script.ts'
export { compose } from './script.ts'
