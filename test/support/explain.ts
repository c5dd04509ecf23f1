import type { Tx } from '../../src/foundation/platform/database/database.ts'
import type { Query } from '../../src/foundation/platform/database/sql.ts'

/** A node of a plan that reads a table, and how. */
export interface Access {
  readonly table: string
  /** The index it comes by; null: it reads the whole table. */
  readonly index: string | null
  /** Columns that the index is searched by. */
  readonly columns: readonly string[]
}

export interface Plan {
  readonly name: string
  readonly accesses: readonly Access[]
  /** Kinds of all its nodes. */
  readonly nodes: readonly string[]
  readonly text: string
}

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Index Cond'?: string
  readonly Plans?: readonly PlanNode[]
}

/** A transaction that notes the plan of every statement before it runs it. */
export function explaining(tx: Tx, plans: Plan[]): Tx {
  const explain = async ({ text, values, name }: Query) => {
    const [row] = await tx.query<{ 'QUERY PLAN': readonly { readonly Plan: PlanNode }[] }>({
      text: `explain (format json) ${text}`,
      values,
    })
    plans.push(planOf(name ?? text.trim().slice(0, 60), row!['QUERY PLAN'][0]!.Plan))
  }
  return {
    tenant: tx.tenant,
    again: tx.again,
    afterCommit: (hook) => tx.afterCommit(hook),
    afterEnd: (hook) => tx.afterEnd(hook),
    endUnchanged: () => tx.endUnchanged(),
    async query<Row>(query: Query) {
      await explain(query)
      return tx.query<Row>(query)
    },
    async execute(query) {
      await explain(query)
      return tx.execute(query)
    },
    async last<Row>(query: Query) {
      await explain(query)
      return tx.last<Row>(query)
    },
    post(query) {
      explain(query).catch(() => undefined) // the transaction has failed, and says so
      tx.post(query)
    },
  }
}

function planOf(name: string, root: PlanNode): Plan {
  const all: PlanNode[] = [root]
  for (const node of all) all.push(...(node.Plans ?? []))
  return {
    name,
    accesses: all.flatMap((node) => accessOf(node)),
    nodes: all.map((node) => node['Node Type']),
    text: JSON.stringify(root, null, 1),
  }
}

function accessOf(node: PlanNode): readonly Access[] {
  const table = node['Relation Name']
  const type = node['Node Type']
  if (table === undefined || type === 'ModifyTable') return []
  // Below a bitmap heap scan lies the scan of its index.
  const search = type === 'Bitmap Heap Scan' ? (node.Plans ?? [])[0] : node
  const condition = search?.['Index Cond'] ?? ''
  const columns = [...condition.matchAll(/\(\(?(?:\w+\.)?"?(\w+)"? (?:=|>|<|>=|<=) /g)].map((match) => match[1]!)
  return [{ table, index: search?.['Index Name'] ?? null, columns: [...new Set(columns)] }]
}
