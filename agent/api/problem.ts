const PROBLEMS = {
  'invalid-parameter': [400, 'Invalid parameter'],
  unauthenticated: [401, 'Not authenticated'],
  forbidden: [403, 'Not allowed'],
  'unknown-client': [403, 'Unknown client'],
  'cross-site': [403, 'Request from another site'],
  'not-found': [404, 'Not found'],
  'method-not-allowed': [405, 'Method not allowed'],
  'job-running': [409, 'Job is running'],
  'job-disabled': [409, 'Job is disabled'],
  'job-refused': [409, 'Job may not run'],
  'configuration-refused': [422, 'Configuration refused'],
  'body-too-large': [413, 'Body too large'],
  'unknown-host': [421, 'Unknown host name'],
  'rate-limited': [429, 'Too many requests'],
  internal: [500, 'Internal error'],
  'not-ready': [503, 'Not ready'],
  stopping: [503, 'Stopping'],
} as const satisfies Record<string, [number, string]>

export type ProblemCode = keyof typeof PROBLEMS

interface ProblemExtras {
  headers?: Record<string, string>
  /** Further members of the document. */
  members?: Record<string, unknown>
  /** Somebody presented a wrong token: the answer is delayed. */
  isGuess?: boolean
}

/** Ends a request with an error document (RFC 9457). `detail` is for the reader of the answer: no secrets. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'

  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    readonly extras: ProblemExtras = {},
  ) {
    super(detail)
  }

  get status(): number {
    return PROBLEMS[this.code][0]
  }

  /** A fresh answer each time: the middlewares around it add their headers. */
  toResponse(): Response {
    const [status, title] = PROBLEMS[this.code]
    const document = { type: `urn:reeve:problem:${this.code}`, title, status, detail: this.detail }
    return new Response(JSON.stringify({ ...document, ...this.extras.members }), {
      status,
      headers: { 'Content-Type': 'application/problem+json', ...this.extras.headers },
    })
  }
}
