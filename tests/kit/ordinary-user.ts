/** Whether this process may become somebody else: some tests need it, and are skipped without. */
export const isRoot = process.geteuid?.() === 0

const NOBODY = 65534

/** Does something as a user without any privilege: as root, with the effective user of "nobody" meanwhile. */
export async function asOrdinaryUser<T>(action: () => T | Promise<T>): Promise<T> {
  if (!isRoot) return action()
  process.seteuid?.(NOBODY)
  try {
    return await action()
  } finally {
    process.seteuid?.(0)
  }
}
