import { describeError, formatDuration, type HostReader } from '../../../agent/contract/mod.ts'
import { type Properties, parseShow, STATE_PROPERTIES, UNIT_PROPERTIES } from './show.ts'

export const SYSTEMCTL = '/usr/bin/systemctl'
export const ANALYZE = '/usr/bin/systemd-analyze'
/** There exactly where systemd is the service manager that runs (sd_booted(3)). */
export const BOOTED = '/run/systemd/system'

export const SHOW = [SYSTEMCTL, 'show', '--no-pager'] as const
/** No service manager is without it. */
const ROOT_SLICE = '-.slice'
const TIMEOUT_MS = 20_000
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024
/** Names in one call; a call costs about 20 ms. */
const MAX_NAMES = 500

export type Answer<T> = { value: T } | { reason: string }

/** All loaded units, and those of the names that are not loaded yet; one call. */
export async function showAll(
  host: HostReader,
  names: string[],
  signal: AbortSignal,
): Promise<Answer<Map<string, Properties>>> {
  const answer = await show(host, STATE_PROPERTIES, ['*', ...names.slice(0, MAX_NAMES)], signal)
  if ('reason' in answer || answer.value.has(ROOT_SLICE)) return answer
  return { reason: `Cannot understand the answer of systemctl: it is not whole, ${ROOT_SLICE} is missing` }
}

/** Units by name, loaded for it where they are not; one call. */
export function showUnits(
  host: HostReader,
  names: string[],
  signal: AbortSignal,
): Promise<Answer<Map<string, Properties>>> {
  if (names.length > MAX_NAMES) return Promise.resolve({ reason: `more than ${MAX_NAMES} units are meant` })
  return show(host, [...STATE_PROPERTIES, ...UNIT_PROPERTIES], names, signal)
}

async function show(
  host: HostReader,
  properties: string[],
  names: string[],
  signal: AbortSignal,
): Promise<Answer<Map<string, Properties>>> {
  const output = await ask(host, [...SHOW, `--property=${properties.join(',')}`, '--', ...names], signal)
  if ('reason' in output) return output
  try {
    const units = parseShow(output.value)
    return units.size > 0 ? { value: units } : { reason: 'it names no units' }
  } catch (error) {
    return { reason: describeError(error) }
  }
}

/** What a program prints, or why there is nothing to go by. */
export async function ask(
  host: HostReader,
  argv: [string, ...string[]],
  signal: AbortSignal,
  {
    accepts = (exitCode) => exitCode === 0,
    timeoutMs = TIMEOUT_MS,
  }: { accepts?: (exitCode: number | null) => boolean; timeoutMs?: number } = {},
): Promise<Answer<string>> {
  if (!host.statTarget(argv[0])) return { reason: 'it is not installed' }
  // Times are printed in the zone of the reader.
  const options = {
    signal,
    timeout: timeoutMs,
    maxBytes: MAX_OUTPUT_BYTES,
    env: { TZ: 'UTC', SYSTEMD_COLORS: '0' },
  }
  try {
    const { exitCode, timedOut, truncated, stdout, stderr } = await host.run(argv, options)
    signal.throwIfAborted()
    if (timedOut) return { reason: `it did not answer within ${formatDuration(timeoutMs)}` }
    if (truncated) return { reason: `it says more than ${MAX_OUTPUT_BYTES} bytes` }
    if (accepts(exitCode)) return { value: stdout }
    return { reason: stderr.trim().split('\n')[0] || `it ended with ${exitCode}` }
  } catch (error) {
    signal.throwIfAborted()
    return { reason: describeError(error) }
  }
}
