/** First argument of a process that builds its jail, and of the one that it becomes. */
export const JAIL_ARGUMENT = '__jail'
export const WORKER_ARGUMENT = '__worker'

/** The command that starts this very program again: the compiled binary, or the runtime with the main file. */
export function selfCommand(): [string, ...string[]] {
  return Bun.main.startsWith('/$bunfs/') ? [process.execPath] : [process.execPath, Bun.main]
}

/** In the environment of a worker: what of other processes was looked up before its jail closed. */
export const PROCESSES_VARIABLE = 'REEVE_PROCESSES'

/** In the environment of a worker: who had which files open for writing before its jail closed. */
export const WRITERS_VARIABLE = 'REEVE_WRITERS'
