import type { HostReader } from '../../../agent/contract/mod.ts'
import { parseTimestamp } from './show.ts'
import { ANALYZE, type Answer, ask } from './systemctl.ts'

export const CALENDAR = [ANALYZE, 'calendar', '--iterations=8', '--'] as const

/** The longest time between the next runs of calendar expressions, in milliseconds, by expression; one call. */
export async function calendarPeriods(
  host: HostReader,
  expressions: string[],
  signal: AbortSignal,
): Promise<Answer<Map<string, number>>> {
  if (expressions.length === 0) return { value: new Map() }
  // One that will never come again makes it end with 1; the others are told all the same.
  const output = await ask(host, [...CALENDAR, ...expressions], signal, { accepts: () => true })
  return 'reason' in output ? output : { value: parsePeriods(output.value) }
}

/** Pure: from the output of `systemd-analyze calendar --iterations=8`. */
export function parsePeriods(text: string): Map<string, number> {
  const periods = new Map<string, number>()
  for (const block of text.split(/\n\n+/)) {
    const field = (name: string) => new RegExp(`^\\s*${name}: (.*)$`, 'm').exec(block)?.[1]
    const names = [field('Original form'), field('Normalized form')].filter((name) => name !== undefined)
    const times = [...block.matchAll(/^\s*(?:Next elapse|Iter(?:ation|\.) #\d+): (.*)$/gm)].flatMap(
      ([, time]) => parseTimestamp(time) ?? [],
    )
    // Of working days the longest is over the weekend.
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? time))
    if (gaps.length === 0) continue
    for (const name of names) periods.set(name, Math.max(...gaps))
  }
  return periods
}
