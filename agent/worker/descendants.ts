import { readdirSync, readFileSync } from 'node:fs'
import { architecture, NUMBERS, processControl, systemCall } from '../host/libc.ts'

const PR_SET_CHILD_SUBREAPER = 36
const WNOHANG = 1
const REAP_INTERVAL_MS = 10
const REAP_ROUNDS = 100

/**
 * From now on whatever loses its parent below this process becomes a child of it, even what has left its
 * session, so that it can be found. Survives execve.
 */
export function adoptOrphans(): void {
  processControl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

/** Kills all that a process has started and what that has started. */
function killDescendants(pid: number): void {
  const killed = new Set<number>()
  // What a process starts before the signal reaches it is found in the next round: it has been adopted then.
  for (;;) {
    const found = descendantsOf(pid).filter((descendant) => !killed.has(descendant))
    if (found.length === 0) return
    for (const descendant of found) {
      killed.add(descendant)
      kill(descendant)
    }
  }
}

/**
 * Kills and reaps the children of this process that are none of its workers: what workers that are dead have
 * left behind. This process must have no other children.
 */
export async function killOrphans(workers: ReadonlySet<number>): Promise<void> {
  for (let round = 0; round < REAP_ROUNDS; round++) {
    const orphans = childrenOf(process.pid).filter((child) => !workers.has(child))
    if (orphans.length === 0) return
    for (const orphan of orphans) {
      killDescendants(orphan)
      kill(orphan)
      systemCall(NUMBERS[architecture()].wait4, orphan, 0, WNOHANG, 0)
    }
    await Bun.sleep(REAP_INTERVAL_MS)
  }
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [...descendantsOf(child), child])
}

function childrenOf(pid: number): number[] {
  const tasks = `/proc/${pid}/task`
  return unlessGone(() => readdirSync(tasks)).flatMap((task) =>
    unlessGone(() => readFileSync(`${tasks}/${task}/children`, 'utf8').split(' ').filter(Boolean)).map(
      Number,
    ),
  )
}

/** Empty for a process, or a thread, that has ended meanwhile. */
function unlessGone(look: () => string[]): string[] {
  try {
    return look()
  } catch {
    return []
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
