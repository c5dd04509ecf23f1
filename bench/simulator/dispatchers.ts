import { type StrategyName, strategies, strategyNames } from '../../src/foundation/balancing/strategies.ts'
import { byStrategy, type Dispatcher, type DispatcherTools, type SimulatedAgent } from './simulate.ts'

export interface Contender {
  readonly name: string
  readonly make: (tools: DispatcherTools) => Dispatcher
  /** What the operator has said an agent is worth. */
  readonly weightOf: (agent: SimulatedAgent) => number
}

const alike = () => 1

/** Any agent, each as likely as the others. */
const random: Contender = {
  name: 'random',
  weightOf: alike,
  make: (tools) => ({ choose: (agents) => agents[Math.floor(tools.random() * agents.length)]! }),
}

/** Knows what every job costs and how fast every agent is, and gives each job to whoever will end it first. */
const oracle: Contender = {
  name: 'oracle',
  weightOf: alike,
  make: () => ({
    choose(agents, job, now) {
      const endOn = (agent: (typeof agents)[number]) => Math.max(agent.freeAt, now) + job.work / agent.speed
      return agents.reduce((best, agent) => (endOn(agent) < endOn(best) ? agent : best))
    },
  }),
}

function contenderOf(name: StrategyName): Contender {
  return {
    name,
    // Weights are the one thing that only an operator knows: true ones, for the strategy that is nothing without them.
    weightOf: name === 'weighted' ? (agent) => agent.speed : alike,
    make: (tools) => byStrategy(strategies[name](tools)),
  }
}

/** Every strategy, and what they are measured against. */
export const contenders: readonly Contender[] = [random, ...strategyNames.map(contenderOf), oracle]
