import { describeError, type HostReader } from '../../../agent/contract/mod.ts'
import { readUnit } from '../parse/parse-unit.ts'
import type { Gaps } from '../places.ts'

const MAX_UNIT_BYTES = 262_144

/** A file that a unit reads, or names in its command. */
export interface UnitReference {
  unit: string
  path: string
  /** "EnvironmentFile", "LoadCredential", "ExecStart". */
  directive: string
}

/** What the units of the patterns say about files; a unit in several directories is looked at in each. */
export function readUnits(host: HostReader, patterns: string[], gaps: Pick<Gaps, 'blind'>): UnitReference[] {
  const references: UnitReference[] = []
  for (const pattern of patterns) {
    for (const { path, type } of host.glob(pattern, (subject, reason) =>
      gaps.blind.push({ subject, reason }),
    )) {
      const unit = unitOfFile(path)
      if (type !== 'file' || unit === undefined) continue
      let text: string
      try {
        text = host.readText(path, { maxBytes: MAX_UNIT_BYTES })
      } catch (error) {
        gaps.blind.push({ subject: path, reason: describeError(error) })
        continue
      }
      const { files, mentions } = readUnit(text)
      for (const { path: file, directive } of files) references.push({ unit, path: file, directive })
      for (const file of mentions) references.push({ unit, path: file, directive: 'ExecStart' })
    }
  }
  return references
}

/** "nginx.service" of its file and of its drop-ins. */
export function unitOfFile(path: string): string | undefined {
  return /\/([^/]+\.service)(?:\.d\/[^/]+\.conf)?$/.exec(path)?.[1]
}
