import { render } from 'ink'
import { createElement } from 'react'
import type { RunDetail } from '../../orchestration/runs/runs-contract.ts'
import type { Output } from '../output.ts'
import { LiveTree } from './live-tree.ts'
import type { Progress } from './plain-progress.ts'

export interface LiveProgress extends Progress {
  setNote(note: string | null): void
}

/** Progress as a tree that is redrawn in place, five times a second. */
export function createLiveProgress(out: Output, now: () => number = Date.now): LiveProgress {
  let latest: RunDetail | null = null
  let note: string | null = null
  let screen: ReturnType<typeof render> | null = null

  function draw(maxRows: number): void {
    if (latest === null) return
    const element = createElement(LiveTree, { detail: latest, now: now(), columns: out.width, maxRows, note })
    if (screen !== null) screen.rerender(element)
    else {
      screen = render(element, {
        stdout: out.stdout as NodeJS.WriteStream,
        stderr: out.stderr as NodeJS.WriteStream,
        exitOnCtrlC: false,
        patchConsole: false,
        interactive: true,
      })
    }
  }
  const rowsOfTerminal = () => (out.stdout as { rows?: number }).rows || 24
  const timer = setInterval(() => draw(rowsOfTerminal()), 200)

  return {
    show(detail) {
      latest = detail
      draw(rowsOfTerminal())
    },
    setNote(text) {
      note = text
      draw(rowsOfTerminal())
    },
    async close() {
      clearInterval(timer)
      note = null
      // The last picture stays in the scroll-back, so it may be as long as it needs.
      draw(Number.POSITIVE_INFINITY)
      await screen?.waitUntilRenderFlush()
      screen?.unmount()
      await screen?.waitUntilExit()
    },
  }
}
