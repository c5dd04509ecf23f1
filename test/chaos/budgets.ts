import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { expect, vi } from 'vitest'
import { seededRandom } from '../../src/foundation/kernel/random.ts'
import type { TestDatabase } from '../support/databases.ts'
import { checkLedger } from '../support/ledger.ts'
import type { Errand, FromNode, ToNode } from './budget-node.fixture.ts'

const callers = [22, 21, 21]
const runs = 4

/** What one seed came to. */
export interface SeedResult {
  readonly seed: number
  readonly charged: number
  readonly spent: number
  readonly refused: number
  /** Charges after which the node was killed. */
  readonly killedAfter: number
}

/**
 * 64 callers over three processes on one PostgreSQL spend from budgets that are too small for them, and one of the processes is
 * killed in the middle. The provider that charges them lives here: it forgets nothing.
 */
export class BudgetChaos implements AsyncDisposable {
  readonly #database: TestDatabase
  #nodes: Node[] = []

  constructor(database: TestDatabase) {
    this.#database = database
  }

  async seed(seed: number): Promise<SeedResult> {
    const random = seededRandom(seed)
    const upTo = (limit: number) => Math.floor(random.next() * (limit + 1))
    const { owner } = this.#database
    // The nodes look after what is there at the same time, so that one of both may be a deadlock's victim.
    await vi.waitFor(() => this.#database.reset(), { timeout: 30_000, interval: 20 })
    const limits = { root: 20_000 + upTo(60_000), run: 5_000 + upTo(30_000), tokens: 2_000 + upTo(8_000) }
    await owner(
      `insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit, time_window)
       values ('default', 'root', 'tenant', 'default', 'micro-usd', $1, 'total'),
         ('default', 'each', 'tenant', 'default', 'micro-usd', $2, 'run'),
         ('default', 'tokens', 'tenant', 'default', 'tokens', $3, 'total')`,
      [limits.root, limits.run, limits.tokens],
    )
    while (this.#nodes.length < callers.length) this.#nodes.push(await Node.start(this.#database.url!))
    const truth = { microUsd: 0, tokens: 0, charges: 0, byRun: new Map<string, number>() }
    const killAfter = 20 + upTo(150)
    const victim = this.#nodes[upTo(2)]!
    let killed = false
    const charge = (run: string, microUsd: number, tokens: number) => {
      truth.microUsd += microUsd
      truth.tokens += tokens
      truth.byRun.set(run, (truth.byRun.get(run) ?? 0) + microUsd)
      if (++truth.charges !== killAfter) return
      killed = true
      victim.kill()
    }
    const ends = await Promise.all(
      this.#nodes.map((node, n) =>
        node.perform({ seed: seed * 3 + n, callers: callers[n]!, calls: 5, runs, most: 1_500 }, charge),
      ),
    )
    if (!killed) victim.kill()
    await victim.gone()
    this.#nodes = this.#nodes.filter((node) => node !== victim)
    // The living find out that it is dead, and end what it held.
    await vi.waitFor(
      async () => {
        const [row] = await owner<{ open: number }>(
          `select count(*)::int as open from reservations where ended_at is null`,
        )
        expect(row!.open).toBe(0)
      },
      { timeout: 60_000, interval: 50 },
    )
    await checkLedger(owner)
    const budgets = await owner<{ id: string; held: number; spent: number }>(
      'select id, held::int, spent::int from budgets order by id',
    )
    expect(budgets.filter((budget) => budget.held !== 0)).toEqual([])
    const spentOf = (id: string) => budgets.find((budget) => budget.id === id)?.spent ?? 0
    // Overshoot: what was really charged, against each limit.
    expect(truth.microUsd).toBeLessThanOrEqual(limits.root)
    expect(truth.tokens).toBeLessThanOrEqual(limits.tokens)
    for (const [run, charged] of truth.byRun) {
      expect(charged).toBeLessThanOrEqual(limits.run)
      expect(spentOf(`run:${run}:micro-usd:of:each`)).toBeGreaterThanOrEqual(charged)
    }
    // Nothing that was charged is missing in the ledger.
    expect(spentOf('root')).toBeGreaterThanOrEqual(truth.microUsd)
    expect(spentOf('tokens')).toBeGreaterThanOrEqual(truth.tokens)
    const refused = ends.reduce((sum, end) => sum + end, 0)
    return { seed, charged: truth.microUsd, spent: spentOf('root'), refused, killedAfter: killed ? killAfter : -1 }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.end()))
  }
}

class Node {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  #charge: (run: string, microUsd: number, tokens: number) => void = () => {}
  #done: (refused: number) => void = () => {}
  #fail: (error: Error) => void = () => {}
  #killed = false

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = once(child, 'exit')
    child.on('message', (message: FromNode) => this.#receive(message))
    child.on('exit', (code, signal) => {
      if (this.#killed) this.#done(0)
      else this.#fail(new Error(`a node ended by itself: ${signal ?? code}`))
    })
  }

  static async start(url: string): Promise<Node> {
    const child = fork(new URL('./budget-node.fixture.ts', import.meta.url), {
      env: { ...process.env, LEANVIBE_TEST_URL: url },
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const node = new Node(child)
    await new Promise((resolve, reject) => {
      child.once('message', resolve)
      node.#fail = reject
    })
    return node
  }

  /** How many wishes were refused; 0 where it did not live to tell. */
  perform(errand: Errand, charge: (run: string, microUsd: number, tokens: number) => void): Promise<number> {
    this.#charge = charge
    return new Promise((resolve, reject) => {
      this.#done = resolve
      this.#fail = reject
      this.#send({ errand })
    })
  }

  kill(): void {
    this.#killed = true
    this.#child.kill('SIGKILL')
  }

  async gone(): Promise<void> {
    await this.#exited
  }

  async end(): Promise<void> {
    this.#fail = () => {}
    this.#send({ end: true })
    await this.#exited
  }

  #receive(message: FromNode): void {
    if ('charge' in message) {
      // What has arrived is charged, also where the caller will never hear of it.
      this.#charge(message.run, message.microUsd, message.tokens)
      this.#send({ charged: message.charge })
    } else if ('done' in message) this.#done(message.done.refused)
    else if ('failed' in message) this.#fail(new Error(message.failed))
  }

  #send(message: ToNode): void {
    this.#child.send(message, () => {
      // A node that was killed hears nothing any more; its end is told by `exit`.
    })
  }
}
