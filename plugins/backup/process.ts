import type { HostReader } from '../../agent/contract/mod.ts'

/** What one has to be able to read to tell whether a process is alive. */
export const PROCESS_STATES = '/proc/*/stat'

/** Whether a process of this host runs; one that only waits to be buried does not. */
export function isRunning(host: HostReader, pid: number): boolean {
  if (!host.stat(`/proc/${pid}`)) return false
  try {
    // proc_pid_stat(5): the state follows the name, which may hold anything and ends with the last parenthesis.
    const state = /\) (\S)[^)]*$/.exec(host.readText(`/proc/${pid}/stat`))?.[1]
    return state !== 'Z' && state !== 'X'
  } catch {
    return host.stat(`/proc/${pid}`) !== undefined // it was not there when this one began, or may not be read
  }
}
