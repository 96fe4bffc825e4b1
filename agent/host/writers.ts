import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { isWithin } from '../lib/path.ts'

/** Processes by file ("dev:ino"), as "nginx[812]". */
export type Writers = Record<string, string[]>

/** More of them are not told: it goes to the worker in its environment. */
const MAX_FILES = 500
const MAX_PROCESSES = 5
const WRITING = 0o3

export const fileKey = ({ dev, ino }: { dev: number; ino: number }): string => `${dev}:${ino}`

/**
 * Who has files below these directories open for writing. Only to be seen outside of a Landlock jail, and of other
 * users' processes only with CAP_SYS_PTRACE: undefined when not one process of another could be looked at.
 */
export function findWriters(directories: string[]): Writers | undefined {
  const writers: Writers = {}
  let looked = 0
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
    try {
      const descriptors = readdirSync(`/proc/${pid}/fd`)
      looked++
      for (const descriptor of descriptors) note(writers, directories, pid, descriptor)
    } catch {
      // It has ended, or may not be looked at.
    }
  }
  return looked > 0 ? writers : undefined
}

function note(writers: Writers, directories: string[], pid: string, descriptor: string): void {
  const link = `/proc/${pid}/fd/${descriptor}`
  try {
    const path = readlinkSync(link)
    if (!directories.some((directory) => isWithin(directory, path))) return
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8'))?.[1]
    if ((Number.parseInt(flags ?? '0', 8) & WRITING) === 0) return
    const key = fileKey(statSync(link))
    if (!writers[key] && Object.keys(writers).length >= MAX_FILES) return
    const who = `${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()}[${pid}]`
    const known = writers[key] ?? []
    if (!known.includes(who) && known.length < MAX_PROCESSES) writers[key] = [...known, who]
  } catch {
    // It was closed meanwhile.
  }
}
