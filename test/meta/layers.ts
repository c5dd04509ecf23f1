import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Import, partOf, root, type SourceFile } from './source-tree.ts'

/** One row of the table in ARCHITECTURE.md. */
export interface Layer {
  readonly level: string
  readonly folders: readonly string[]
  /** The words of the last column, each of which must be used by some import. */
  readonly permissions: readonly string[]
}

export interface Violation {
  readonly from: string
  readonly line: number
  readonly to: string
  readonly why: string
}

const contracts = '`-contract` files'
const peers = 'other parts of L3 only as types or `-contract`'

/** Reads the first table of ARCHITECTURE.md that has a column `may import`. */
export function readLayers(text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')): Layer[] {
  return readTable(text, 'may import').map(([level, folders, permissions]) => ({
    level: level!,
    folders: splitCell(folders!),
    permissions: splitCell(permissions!),
  }))
}

/** The rows under the Markdown table whose heading names `column`, as trimmed cells. */
export function readTable(text: string, column: string): string[][] {
  const lines = text.split('\n')
  const heading = lines.findIndex((line) => line.startsWith('|') && line.includes(column))
  if (heading < 0) throw new Error(`ARCHITECTURE.md has no table with a column "${column}"`)
  const rows: string[][] = []
  for (const line of lines.slice(heading + 2)) {
    if (!line.startsWith('|')) break
    rows.push(
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  }
  return rows
}

function splitCell(cell: string): string[] {
  return cell
    .split(/[,;]/)
    .map((word) => word.trim())
    .filter((word) => word !== '')
}

/** The row a file belongs to: the longest folder (or file) of the table that holds it. */
export function layerOf(layers: readonly Layer[], path: string): Layer | null {
  const match = layers
    .flatMap((layer) => layer.folders.map((folder) => ({ layer, folder })))
    .filter(({ folder }) => path === folder || path.startsWith(`${folder}/`))
    .sort((a, b) => b.folder.length - a.folder.length)[0]
  return match?.layer ?? null
}

/** The permission by which `layer` may import `target`, or null. */
export function permissionFor(layers: readonly Layer[], layer: Layer, from: string, item: Import): string | null {
  const target = item.target!
  const to = layerOf(layers, target)
  return layer.permissions.find((word) => allows(layers, word, to, from, item)) ?? null
}

function allows(layers: readonly Layer[], word: string, to: Layer | null, from: string, item: Import): boolean {
  const target = item.target!
  if (word === contracts) return isContract(target)
  if (word === peers)
    return to?.level === 'L3' && partOf(from) !== partOf(target) && (item.kind === 'type' || isContract(target))
  const range = /^L(\d)(?: to L(\d))?$/.exec(word)
  if (range) {
    const level = /^L(\d)$/.exec(to?.level ?? '')?.[1]
    return level !== undefined && level >= range[1]! && level <= (range[2] ?? range[1]!)
  }
  const folder = layers.flatMap((layer) => layer.folders).find((name) => name === word || name.endsWith(`/${word}`))
  if (folder === undefined) throw new Error(`ARCHITECTURE.md: "${word}" is neither a layer nor a folder of the table`)
  return target === folder || target.startsWith(`${folder}/`)
}

/** Every import that the table does not allow, and every file that stands in no layer. */
export function findViolations(layers: readonly Layer[], files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) => {
    const layer = layerOf(layers, file.path)
    if (layer === null)
      return [{ from: file.path, line: 1, to: '', why: 'stands in no folder of the table in ARCHITECTURE.md' }]
    return file.imports
      .filter((item) => item.target !== null && !isSamePlace(layers, file.path, item.target))
      .filter((item) => permissionFor(layers, layer, file.path, item) === null)
      .map((item) => ({ from: file.path, line: item.line, to: item.target!, why: explain(layer, item) }))
  })
}

/** Within one part, and within one folder of the table below the parts, everybody may know everybody. */
function isSamePlace(layers: readonly Layer[], from: string, target: string): boolean {
  const layer = layerOf(layers, from)!
  if (layer.level === 'L3') return partOf(from) === partOf(target)
  return layer.folders.some((folder) => from.startsWith(`${folder}/`) && target.startsWith(`${folder}/`))
}

function explain(layer: Layer, item: Import): string {
  const allowed = layer.permissions.join(', ')
  const hint =
    layer.level === 'L3' && item.kind === 'value'
      ? '; use `import type`, move what is shared into a `-contract` file, or take the object from src/app/context.ts'
      : ''
  return `${layer.level} may import: ${allowed}${hint}`
}

/** Permissions of the table that no import makes use of. They would let a wall fall unseen. */
export function findStalePermissions(layers: readonly Layer[], files: readonly SourceFile[]): string[] {
  return layers.flatMap((layer) => {
    const own = files.filter((file) => layerOf(layers, file.path) === layer)
    if (own.length === 0) return []
    const imports = own.flatMap((file) =>
      file.imports.filter((item) => item.target !== null).map((item) => ({ file, item })),
    )
    return layer.permissions
      .filter((word) => !layer.folders.some((folder) => folder.endsWith(`/${word}`)))
      .filter(
        (word) =>
          !imports.some(({ file, item }) => allows(layers, word, layerOf(layers, item.target!), file.path, item)),
      )
      .map((word) => `${layer.folders.join(', ')} never imports ${word}: take it out of the table`)
  })
}

export function isContract(path: string): boolean {
  return path.endsWith('-contract.ts')
}
