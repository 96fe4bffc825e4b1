/** "ghcr.io/owner/app:1.2@sha256:…" in its parts, as the engines complete what is left out. */
export interface ImageName {
  registry: string
  /** With the owner, such as "library/nginx". */
  repository: string
  tag: string | undefined
  digest: string | undefined
}

/**
 * Undefined for an id of an image, which names none. The first part is a registry when it has a dot or a port or is
 * "localhost" (the reference grammar of the distribution project). Pure.
 */
export function parseImageName(text: string): ImageName | undefined {
  const match = /^([^@\s]+?)(?::([\w][\w.-]{0,127}))?(?:@(\w+:[0-9a-fA-F]{32,}))?$/.exec(text)
  if (!match?.[1] || /^(sha256:)?[0-9a-f]{64}$/.test(text)) return undefined
  const [, name = '', tag, digest] = match
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const hasRegistry = /[.:]/.test(first) || first === 'localhost'
  const registry = !hasRegistry || first === 'index.docker.io' ? 'docker.io' : first
  const rest = hasRegistry ? name.slice(slash + 1) : name
  const repository = registry === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest
  return { registry, repository, tag, digest }
}

/** Whether it is of a registry of the list, or of a part of one ("ghcr.io/owner"). Pure. */
export function isOfRegistry({ registry, repository }: ImageName, allowed: readonly string[]): boolean {
  const full = `${registry}/${repository}`
  return allowed.some((one) => full === one || full.startsWith(`${one.replace(/\/$/, '')}/`))
}
