import { getSystemErrorMap } from 'node:util'

/** The system's words for an error, as strerror gives them. */
export function describe(error: unknown): string {
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') {
    if (error.errno === -2) return 'No such file or directory'
    if (error.errno === -13) return 'Permission denied'
    if (error.errno === -17) return 'File exists'
    if (error.errno === -28) return 'No space left on device'
    return getSystemErrorMap().get(error.errno)?.[1] ?? error.message
  }
  return error instanceof Error ? error.message : String(error)
}
