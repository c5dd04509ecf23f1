import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from '../../../foundation/kernel/schema.ts'

const schema = z.object({ sessionId: z.string().min(1).max(1_000), program: z.string() })

/** Remembers on this machine which session of an agent worked on a task, for its next attempt. */
export interface SessionMemory {
  recall(taskId: string, program: string): Promise<string | null>
  remember(taskId: string, program: string, sessionId: string): Promise<void>
  forget(taskId: string): Promise<void>
}

export function createSessionMemory(folder: string): SessionMemory {
  const fileOf = (taskId: string) => join(folder, `${taskId.replaceAll(/[^\w.-]/g, '_')}.json`)
  return {
    async recall(taskId, program) {
      const text = await readFile(fileOf(taskId), 'utf8').catch(() => null)
      const parsed = schema.safeParse(text === null ? null : jsonOf(text))
      return parsed.success && parsed.data.program === program ? parsed.data.sessionId : null
    },
    async remember(taskId, program, sessionId) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeFile(fileOf(taskId), JSON.stringify({ sessionId, program }), { mode: 0o600 })
    },
    async forget(taskId) {
      await rm(fileOf(taskId), { force: true })
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // refused by the schema
  }
}
