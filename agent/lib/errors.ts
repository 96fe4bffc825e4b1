/** The operator has to change something (configuration, arguments, host): printed as its message only. */
export class UserError extends Error {
  override readonly name = 'UserError'
}

/** The host is in the way, perhaps only for now (a full disk): whoever started reeve may try again. */
export class HostError extends UserError {}

/** A job tried something that it did not declare: the jail or the host layer refused it. */
export class NotPermittedError extends Error {
  override readonly name = 'NotPermittedError'
}

/** The text of anything thrown, with its causes: "Cannot read "x": EACCES: permission denied". */
export function describeError(error: unknown): string {
  const parts: string[] = []
  let current: unknown = error
  for (let depth = 0; current !== undefined && current !== null && depth < 5; depth++) {
    const text = current instanceof Error ? current.message || current.name : String(current)
    if (!parts.some((part) => part.includes(text))) parts.push(text)
    current = current instanceof Error ? current.cause : undefined
  }
  return parts.join(': ')
}

/** The errno name of a system error ("ENOENT"), or undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return undefined
}
