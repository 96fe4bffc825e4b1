/** What nginx and Caddy have in common, as far as it is judged. */

export interface Place {
  path: string
  /** 0 where it is not known. */
  line: number
}

/** A value that is in force, and where it is written. */
export interface Setting {
  value: string
  words: string[]
  place: Place
  /** The part of the configuration that says it, for people: "nginx http", "nginx server example.org:443". */
  owner: string
}

export interface Listen {
  /** "*", "127.0.0.1", "[::]", "unix:/run/x"; a name as it is written. */
  address: string
  /** 0 for a unix socket. */
  port: number
  isTls: boolean
  place: Place
}

/** Where requests are handed on to; `port` 0 for a unix socket. */
export interface Target {
  host: string
  port: number
}

export interface RateLimit {
  /** Requests per second; undefined where that is not to be seen. */
  perSecond: number | undefined
  place: Place
}

/** A part of a site that answers some of its requests. */
export interface Route {
  /** "location /api/", for people. */
  name: string
  place: Place
  targets: Target[]
  /** It hands on to what only turns out at run time. `port` where that at least is written. */
  unclear?: { reason: string; port: number | undefined } | undefined
  /** Headers of its answers in force, by name in lower case. */
  headers: Map<string, Setting>
  limits: RateLimit[]
  /** Headers that the service behind is given, in lower case, with their value. */
  forwarded: Map<string, string>
  /** It answers requests over plain HTTP by sending them to https. */
  redirects: boolean
}

/** A virtual host. */
export interface Site {
  program: 'nginx' | 'Caddy'
  /** "nginx server example.org:443": the subject of findings. */
  name: string
  names: string[]
  place: Place
  /** TCP that is handed on as it is, not HTTP. */
  isStream: boolean
  listens: Listen[]
  /** TLS versions as nginx names them; undefined: what the program does by itself. */
  protocols: Setting | undefined
  ciphers: Setting | undefined
  certificates: { certificate: Setting; key: Setting | undefined }[]
  routes: Route[]
  /** The routes that may answer a request for a path; throws where that is not to be seen. */
  routesFor(path: string): Route[]
}

/** Whether only this host can connect. */
export function isLocalAddress(address: string): boolean {
  return /^(?:127\.|localhost$|\[?::1\]?$|unix:|unix\/)/.test(address)
}

/** Whether something else than this host can connect to it over TLS. */
export function isPublicTls({ listens }: Site): boolean {
  return listens.some(({ isTls, address }) => isTls && !isLocalAddress(address))
}

export function isTls({ listens }: Site): boolean {
  return listens.some((listen) => listen.isTls)
}
