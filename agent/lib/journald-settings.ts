/** What journald.conf says about how long the journal is kept. Undefined: systemd's own default. */
export interface JournalSettings {
  storage: 'auto' | 'persistent' | 'volatile' | 'none'
  maxUseBytes: number | undefined
  /** 0: without an end. */
  maxRetentionMs: number
}

/** Files in the order in which they count; a later one overrides. Pure. */
export function parseJournald(texts: string[]): JournalSettings {
  const settings: JournalSettings = { storage: 'auto', maxUseBytes: undefined, maxRetentionMs: 0 }
  for (const text of texts) {
    let section = ''
    for (const line of text.split('\n')) {
      const trimmed = line.trim()
      if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith(';')) continue
      const header = /^\[(.*)\]$/.exec(trimmed)?.[1]
      if (header !== undefined) section = header
      else if (section === 'Journal') apply(settings, trimmed)
    }
  }
  return settings
}

function apply(settings: JournalSettings, line: string): void {
  const [, key, value = ''] = /^([A-Za-z]+)\s*=\s*(.*)$/.exec(line) ?? []
  if (key === 'Storage') settings.storage = STORAGES.find((name) => name === value) ?? 'auto'
  if (key === 'SystemMaxUse') settings.maxUseBytes = parseSize(value)
  if (key === 'MaxRetentionSec') settings.maxRetentionMs = parseTimeSpan(value) ?? 0
}

const STORAGES = ['auto', 'persistent', 'volatile', 'none'] as const

/** Powers of 1024, as systemd reads SystemMaxUse. */
function parseSize(value: string): number | undefined {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)\s*([KMGTPE]?)B?$/.exec(value) ?? []
  return digits === undefined
    ? undefined
    : Math.floor(Number(digits) * 1024 ** ' KMGTPE'.indexOf(unit || ' '))
}

const SECOND_MS = 1000
const DAY_MS = 86_400 * SECOND_MS
/** systemd.time(7). */
const UNITS: [RegExp, number][] = [
  [/^(?:y|year|years)$/, 365.25 * DAY_MS],
  [/^(?:M|month|months)$/, 30.44 * DAY_MS],
  [/^(?:w|week|weeks)$/, 7 * DAY_MS],
  [/^(?:d|day|days)$/, DAY_MS],
  [/^(?:h|hr|hour|hours)$/, 3600 * SECOND_MS],
  [/^(?:m|min|minute|minutes)$/, 60 * SECOND_MS],
  [/^(?:s|sec|second|seconds|)$/, SECOND_MS],
  [/^(?:ms|msec)$/, 1],
]

/** "2week", "1month 3d", "90day"; a bare number is seconds. Undefined for anything else. */
export function parseTimeSpan(value: string): number | undefined {
  if (!/^(?:\s*\d+(?:\.\d+)?\s*[A-Za-z]*\s*)+$/.test(value)) return undefined
  let total = 0
  for (const [, count, unit = ''] of value.matchAll(/(\d+(?:\.\d+)?)\s*([A-Za-z]*)/g)) {
    const factor = UNITS.find(([name]) => name.test(unit))?.[1]
    if (factor === undefined) return undefined
    total += Number(count) * factor
  }
  return total
}
