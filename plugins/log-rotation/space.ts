import {
  type Finding,
  formatBytes,
  formatDuration,
  type HostReader,
  type Metric,
  shellWord,
} from '../../agent/contract/mod.ts'
import { keepPoints, type Memory, MINUTE_MS, type Point } from './growth.ts'

/** A file system that holds logs. */
export interface Space {
  /** Where it is mounted. */
  path: string
  freeBytes: number
  totalBytes: number
}

/** The file systems of these directories, each once. */
export function surveySpaces(host: HostReader, directories: Iterable<string>): Space[] {
  const spaces = new Map<string, Space>()
  for (const directory of new Set(directories)) {
    const path = mountPoint(host, directory)
    if (path === undefined || spaces.has(path)) continue
    spaces.set(path, { path, freeBytes: host.freeBytes(path), totalBytes: host.fileSystemBytes(path) })
  }
  return [...spaces.values()]
}

/** The highest directory above that is on the same device. */
export function mountPoint(host: HostReader, directory: string): string | undefined {
  const device = host.stat(directory)?.dev
  if (device === undefined) return undefined
  let path = directory
  while (path !== '/') {
    const parent = path.slice(0, path.lastIndexOf('/')) || '/'
    if (host.stat(parent)?.dev !== device) return path
    path = parent
  }
  return path
}

const EVERY_MINUTES = 180

export function rememberSpaces(before: Memory['spaces'], spaces: Space[], nowMs: number): Memory['spaces'] {
  const now = Math.floor(nowMs / MINUTE_MS)
  return Object.fromEntries(
    spaces.map(({ path, freeBytes }) => [
      path,
      keepPoints(Object.hasOwn(before, path) ? (before[path] ?? []) : [], [now, freeBytes], EVERY_MINUTES),
    ]),
  )
}

/** A day is the least: within one, rotation itself goes up and down. */
const LEAST_MINUTES = 1440
const LEAST_POINTS = 4

/**
 * Milliseconds until a file system is full when it goes on as in the last eight days (the straight line of least
 * squares through the free space). Undefined when that is not known yet, or it does not fill. Pure.
 */
export function forecastFull(points: Point[], freeBytes: number, nowMs: number): number | undefined {
  const now = nowMs / MINUTE_MS
  const [first] = points
  if (!first || points.length < LEAST_POINTS || now - first[0] < LEAST_MINUTES) return undefined
  const all: Point[] = [...points, [now, freeBytes]]
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [meanTime, meanFree] = [mean(all.map(([time]) => time)), mean(all.map(([, free]) => free))]
  const covariance = all.reduce((sum, [time, free]) => sum + (time - meanTime) * (free - meanFree), 0)
  const variance = all.reduce((sum, [time]) => sum + (time - meanTime) ** 2, 0)
  const bytesPerMinute = -covariance / variance
  return bytesPerMinute > 0 ? (freeBytes / bytesPerMinute) * MINUTE_MS : undefined
}

const CRITICAL_MS = 2 * 86_400_000

export function spaceFindings(spaces: Space[], memory: Memory, withinMs: number, nowMs: number): Finding[] {
  return spaces.flatMap(({ path, freeBytes }): Finding[] => {
    const fullInMs = forecastFull(memory.spaces[path] ?? [], freeBytes, nowMs)
    if (fullInMs === undefined || fullInMs > withinMs) return []
    return [
      {
        rule: 'filesystem-full-soon',
        subject: path,
        severity: fullInMs < CRITICAL_MS ? 'critical' : 'warning',
        summary: `${path} is full in ${formatDuration(fullInMs)} if it goes on like this: ${formatBytes(freeBytes)} are free`,
        remedy: `See what grows: du -x --max-depth=2 ${shellWord(path)} | sort -n | tail; "reeve logs" shows the logs`,
        evidence: { freeBytes, fullInSeconds: Math.round(fullInMs / 1000) },
      },
    ]
  })
}

export function spaceMetrics(spaces: Space[], memory: Memory, nowMs: number): Metric[] {
  return spaces.flatMap(({ path, freeBytes }): Metric[] => {
    const fullInMs = forecastFull(memory.spaces[path] ?? [], freeBytes, nowMs)
    if (fullInMs === undefined) return []
    return [
      {
        name: 'filesystem_full_timestamp_seconds',
        value: Math.round((nowMs + fullInMs) / 1000),
        labels: { path },
        help: 'When a file system with logs is full if it goes on as in the last days',
      },
    ]
  })
}
