import { createHash } from 'node:crypto'

/** What all providers of models take as the name of a tool. */
const longest = 64

/** A name for each tool where one list holds those of all servers: `server__tool`, in the characters models take, unique. */
export function qualifiedNames(tools: readonly (readonly [server: string, tool: string])[]): readonly string[] {
  const taken = new Set<string>()
  return tools.map(([server, tool]) => {
    const plain = `${server}__${tool}`.replaceAll(/[^\w-]/g, '_')
    const name = plain.length <= longest && !taken.has(plain) ? plain : shortened(plain, server, tool)
    taken.add(name)
    return name
  })
}

function shortened(plain: string, server: string, tool: string): string {
  const digest = createHash('sha256').update(`${server}\n${tool}`).digest('hex').slice(0, 8)
  return `${plain.slice(0, longest - 9)}_${digest}`
}
