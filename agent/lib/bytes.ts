const UNITS = ['', 'K', 'M', 'G', 'T', 'P']

/** Bytes of a size such as "512", "100k", "10M", "2G" (powers of 1024, as logrotate and tar count). */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+)\s*([kKMGTP]?)i?B?$/.exec(text)
  if (!match) return undefined
  const bytes = Number(match[1]) * 1024 ** UNITS.indexOf((match[2] ?? '').toUpperCase())
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** A size for people: "0 B", "4.2 KiB", "1.3 GiB". */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${UNITS[unit]}iB`
}
