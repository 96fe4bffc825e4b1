const MASK = '[redacted]'
/** Shorter values would blank out ordinary words; such secrets are refused when they are resolved. */
export const SHORTEST_SECRET = 8

/**
 * Hides registered secret values, in plain and in their usual encodings, from every text that leaves the
 * process: log, store, API, webhook, error. One redactor per process.
 */
export class Redactor {
  private needles: string[] = []

  /** Registers a value; what is shorter than SHORTEST_SECRET is ignored. */
  add(secret: string): void {
    if (secret.length < SHORTEST_SECRET) return
    const bytes = Buffer.from(secret, 'utf8')
    const forms = [
      secret,
      bytes.toString('base64'),
      bytes.toString('base64').replace(/=+$/, ''),
      bytes.toString('base64url'),
      bytes.toString('hex'),
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
    ]
    for (const form of forms) if (!this.needles.includes(form)) this.needles.push(form)
    this.needles.sort((a, b) => b.length - a.length)
  }

  text(text: string): string {
    let result = text
    for (const needle of this.needles) {
      if (result.includes(needle)) result = result.replaceAll(needle, MASK)
    }
    return result
  }

  /** A copy of a JSON value in which every string, keys included, is redacted. */
  value<T>(value: T): T {
    if (this.needles.length === 0) return value
    return this.deep(value) as T
  }

  private deep(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value)
    if (Array.isArray(value)) return value.map((item) => this.deep(item))
    if (value !== null && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.text(key), this.deep(item)]))
    }
    return value
  }
}
