import { type FileStat, type Finding, formatDuration } from '../../../agent/contract/mod.ts'
import { systemctlFor, titleOf, type Unit } from '../unit.ts'

/** What is remembered of a file, to notice that another one was moved into its place. Times in UTC milliseconds. */
export interface FileMemory {
  ino: number
  size: number
  mtimeMs: number
  changedMs: number
}

/** Pure: since when the file is what it is now. A file that is moved into place keeps the time of its last change. */
export function rememberFile(before: FileMemory | undefined, stat: FileStat): FileMemory {
  const { ino, size, mtimeMs, ctimeMs } = stat
  const isSame = before && before.ino === ino && before.size === size && before.mtimeMs === mtimeMs
  const changedMs = isSame ? before.changedMs : before ? Math.max(mtimeMs, ctimeMs) : mtimeMs
  return { ino, size, mtimeMs, changedMs }
}

/** systemd tells whole seconds. */
const RESOLUTION_MS = 1000

/** Pure: the files that changed after a unit was started. */
export function judgeChanges(
  unit: Unit,
  files: ReadonlyMap<string, FileMemory>,
  loadedBy: 'restart' | 'reload',
): Finding[] {
  const { running, name } = unit
  if (!running || !['active', 'reloading'].includes(running.state)) return []
  const loadedMs = loadedBy === 'reload' ? (running.changedMs ?? running.startedMs) : running.startedMs
  if (loadedMs === undefined) return []
  const subject = titleOf(unit)
  const act = systemctlFor(unit)
  return [...files].flatMap(([path, { changedMs }]): Finding[] => {
    if (changedMs < loadedMs + RESOLUTION_MS) return []
    const late = formatDuration(Math.max(1000, Math.floor((changedMs - loadedMs) / 1000) * 1000))
    return [
      {
        rule: 'change-not-loaded',
        subject: `${subject} ${path}`,
        severity: 'warning',
        summary: `${subject} was started ${late} before ${path} changed: what is in it now does not count yet`,
        remedy: `${act} ${loadedBy} '${name}'`,
        evidence: { unit: name, path, started: iso(loadedMs), changed: iso(changedMs) },
      },
    ]
  })
}

const iso = (ms: number) => new Date(ms).toISOString()
