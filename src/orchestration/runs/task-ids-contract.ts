import type { RunId, TaskId } from '../../foundation/kernel/ids.ts'

/**
 * A task is named after its place: run, position of the step, item of a map, and a number for the steps that get a second
 * task. So the tasks of a run, or of a step, are one range of the primary key, and need no index of their own.
 */
export function taskIdOf(run: RunId, position: number, item: number | null, nth = 0): TaskId {
  return `task_${run.slice('run_'.length)}.${position}.${item ?? 's'}${nth === 0 ? '' : `.${nth}`}` as TaskId
}

/** A half-open range of task ids, in the order of bytes. */
export interface TaskRange {
  readonly from: string
  readonly to: string
}

/** The tasks of a run, or of one of its steps. `/` is the byte after `.`. */
export function taskRange(run: string, position?: number): TaskRange {
  const prefix = `task_${run.slice('run_'.length)}${position === undefined ? '' : `.${position}`}`
  return { from: `${prefix}.`, to: `${prefix}/` }
}

/** The run of a task, read off its name. */
export function runOfTask(id: string): RunId {
  return `run_${id.slice('task_'.length, id.indexOf('.'))}` as RunId
}

/** Where a task belongs, read off its name. */
export function placeOfTask(id: string): { readonly position: number; readonly item: number | null } {
  const [, position = '0'] = id.split('.', 2)
  return { position: Number(position), item: itemOfTask(id) }
}

/** Its item, where its step is a map. */
export function itemOfTask(id: string): number | null {
  const from = id.indexOf('.', id.indexOf('.') + 1) + 1
  const to = id.indexOf('.', from)
  const item = id.slice(from, to < 0 ? undefined : to)
  return item === 's' ? null : Number(item)
}
