import { describeError, UserError } from '../lib/errors.ts'

/** The running daemon, asked over its unix socket. */
export class ApiClient {
  constructor(private readonly socket: string) {}

  /** True when a daemon answers there. */
  async isThere(): Promise<boolean> {
    try {
      return (await this.fetch('/healthz')).ok
    } catch {
      return false
    }
  }

  /** JSON of an answer, whatever its status; throws UserError when there is none. */
  async json<T>(path: string, init?: RequestInit): Promise<{ status: number; body: T }> {
    try {
      const response = await this.fetch(path, init)
      return {
        status: response.status,
        body: (response.status === 204 ? undefined : await response.json()) as T,
      }
    } catch (error) {
      throw new UserError(`Cannot ask the daemon at "${this.socket}": ${describeError(error)}`, {
        cause: error,
      })
    }
  }

  private fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const signal = AbortSignal.timeout(10_000)
    return fetch(`http://localhost${path}`, { ...init, unix: this.socket, signal })
  }
}
