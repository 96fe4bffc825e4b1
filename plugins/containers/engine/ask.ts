import { describeError, errnoOf, type HostReader, type z } from '../../../agent/contract/mod.ts'

/** An engine that is late so often answers nothing more: the run does not wait for every container. */
const MAX_LATE_ANSWERS = 3
const MAX_LIST_BYTES = 16 * 1024 * 1024
const MAX_ITEM_BYTES = 4 * 1024 * 1024

/** Asks one engine. The host layer sends GET only. */
export class Engine {
  private late = 0

  constructor(
    private readonly host: HostReader,
    readonly socket: string,
    private readonly timeoutMs: number,
    private readonly signal: AbortSignal,
  ) {}

  /** Throws when there is no answer in time, or another one than is documented. */
  async get<T>(path: string, shape: z.ZodType<T>, maxBytes = MAX_LIST_BYTES): Promise<T> {
    if (this.late >= MAX_LATE_ANSWERS) throw new Error('it has stopped answering')
    const { socket, timeoutMs, signal } = this
    const { status, body } = await this.host
      .ask({ socket, path, timeoutMs, maxBytes, signal })
      .catch((error) => {
        if (errnoOf(error) === 'ETIMEDOUT') this.late++
        throw error
      })
    if (status === 403) throw new Error(`it refuses to tell (403 for "${path}")`)
    if (status === 404) throw new NotFoundError(path)
    if (status !== 200) throw new Error(`it answers "${path}" with ${status}`)
    let value: unknown
    try {
      value = JSON.parse(body)
    } catch {
      throw new Error(`its answer to "${path}" is no JSON`)
    }
    const parsed = shape.safeParse(value)
    if (parsed.success) return parsed.data
    const [issue] = parsed.error.issues
    throw new Error(
      `its answer to "${path}" is not as documented: ${issue?.path.join('.') || 'all of it'}: ${issue?.message}`,
    )
  }

  async item<T>(path: string, shape: z.ZodType<T>): Promise<T> {
    return this.get(path, shape, MAX_ITEM_BYTES)
  }
}

export class NotFoundError extends Error {
  override readonly name = 'NotFoundError'
  constructor(path: string) {
    super(`it does not know "${path}"`)
  }
}

/** Does something with each, at most so many at a time; an error is a result. */
export async function each<In, Out>(
  items: readonly In[],
  limit: number,
  action: (item: In) => Promise<Out>,
): Promise<(Out | Error)[]> {
  const results: (Out | Error)[] = []
  let next = 0
  const work = async () => {
    while (next < items.length) {
      const index = next++
      try {
        results[index] = await action(items[index] as In)
      } catch (error) {
        results[index] = error instanceof Error ? error : new Error(describeError(error))
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work))
  return results
}
