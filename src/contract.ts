/** The shapes of everything that crosses the API: schemas and endpoints. Runs anywhere. */
export * from './orchestration/agents/agents-contract.ts'
export * from './orchestration/approvals/approvals-contract.ts'
export * from './orchestration/checkpoints/checkpoints-contract.ts'
export * from './orchestration/monitor/monitor-contract.ts'
export * from './orchestration/runs/run-endpoints-contract.ts'
export * from './orchestration/runs/runs-contract.ts'
export * from './orchestration/schedules/schedules-contract.ts'
export * from './orchestration/workflows/workflow-endpoints-contract.ts'
