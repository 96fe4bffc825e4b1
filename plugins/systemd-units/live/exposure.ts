import type { HostReader } from '../../../agent/contract/mod.ts'
import { ANALYZE, type Answer, ask } from './systemctl.ts'

export const SECURITY = [ANALYZE, 'security', '--no-pager', '--'] as const

/**
 * Exposure levels from 0 (safe) to 10, by unit, as `systemd-analyze security` computes them of the running system. A unit
 * that it does not speak of is missing. One call. (Of files alone it could, too, but not without writing to /tmp.)
 */
export async function exposures(
  host: HostReader,
  units: string[],
  signal: AbortSignal,
): Promise<Answer<Map<string, number>>> {
  const output = await ask(host, [...SECURITY, ...units], signal)
  return 'reason' in output ? output : { value: parseExposures(output.value) }
}

/** Pure. The tables are for people; this line has not changed since systemd 240. */
export function parseExposures(text: string): Map<string, number> {
  return new Map(
    [...text.matchAll(/Overall exposure level for (\S+): (\d+(?:\.\d+)?) /g)].map(([, unit = '', level]) => [
      unit,
      Number(level),
    ]),
  )
}
