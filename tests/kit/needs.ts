import { test } from 'bun:test'

export interface Needs {
  /** Programs that have to be on PATH. */
  programs?: string[]
  root?: boolean
  /** Anything else that is missing here; undefined when nothing is. */
  reason?: string | undefined
}

/** `test` where this machine has what is needed, else one that is skipped and says in its title why. */
export function testWith(needs: Needs): (title: string, body: () => void | Promise<void>) => void {
  const reason = whyNot(needs)
  return (title, body) => {
    if (reason) test.skip(`${title} [${reason}]`, body)
    else test(title, body)
  }
}

function whyNot({ programs = [], root = false, reason }: Needs): string | undefined {
  const missing = programs.filter((program) => !Bun.which(program))
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`
  if (root && process.getuid?.() !== 0) return 'needs root'
  return reason
}
