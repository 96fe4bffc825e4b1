import { closeSync, constants, openSync } from 'node:fs'
import type { Settings } from '../logrotate/settings.ts'
import { runAsCurrent } from './identity.ts'
import type { Output } from './output.ts'

const MAX_BYTES = 256 * 1_048_576

/** Sends a rotated log, uncompressed, as `COMMAND -s SUBJECT ADDRESS` with the log on its input. */
export function mailLog(
  path: string,
  subject: string,
  settings: Settings,
  command: string,
  output: Output,
): boolean {
  if (settings.mail === undefined) return true
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const compressed = settings.compress && path.endsWith(settings.compressExtension)
    const plain = compressed
      ? runAsCurrent(settings.uncompressCommand, [], {
          stdio: [descriptor, 'pipe', 'inherit'],
          maxBuffer: MAX_BYTES,
        })
      : undefined
    if (plain && (plain.error || plain.status !== 0)) {
      output.error(`uncompress command failed mailing ${path}`)
      return false
    }
    const stdio = {
      stdio: [plain ? 'pipe' : descriptor, output.captures ? 2 : 'inherit', 'inherit'] as (
        | 'pipe'
        | 'inherit'
        | number
      )[],
    }
    const sent = runAsCurrent(command, ['-s', subject, settings.mail], {
      ...stdio,
      ...(plain && { input: plain.stdout }),
    })
    if (!sent.error && sent.status === 0) return true
    output.error(`mail command failed for ${path}`)
    return false
  } finally {
    closeSync(descriptor)
  }
}
