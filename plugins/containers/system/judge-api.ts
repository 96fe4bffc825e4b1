import { type Finding, shellWord, z } from '../../../agent/contract/mod.ts'

/** How the API of Docker is offered over TCP, from one place that says so. */
export interface TcpOffer {
  /** What says so: a path, or "dockerd[812]". */
  source: string
  line: number | undefined
  /** "tcp://0.0.0.0:2375". */
  address: string
  verifiesClients: boolean
}

const daemonShape = z.looseObject({
  hosts: z.array(z.string()).default([]),
  tlsverify: z.boolean().default(false),
  'insecure-registries': z.array(z.string()).default([]),
  dns: z.array(z.string()).default([]),
})
export type DaemonSettings = z.output<typeof daemonShape>

/** The text of daemon.json. Throws when it is no such document. Pure. */
export function parseDaemonSettings(text: string): DaemonSettings {
  let value: unknown
  try {
    value = text.trim() === '' ? {} : JSON.parse(text)
  } catch {
    throw new Error('it is no JSON')
  }
  const parsed = daemonShape.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new Error(`"${issue?.path.join('.')}": ${issue?.message}`)
}

/** The line that a text of a JSON document stands on, as it was written; 1 where it is escaped. Pure. */
export function lineOf(text: string, needle: string): number {
  const at = text.indexOf(JSON.stringify(needle))
  return at < 0 ? 1 : text.slice(0, at).split('\n').length
}

/** What the arguments of dockerd or `podman system service` offer over TCP; settings of daemon.json hold beside. Pure. */
export function offersOf(source: string, argv: string[], verifies: boolean): TcpOffer[] {
  const addresses = argv.flatMap((word, index) => {
    const [, joined] = /^(?:--host=|-H=?)(.+)$/.exec(word) ?? []
    const value = joined ?? (word === '-H' || word === '--host' ? argv[index + 1] : word)
    // Podman takes it without the slashes.
    return value?.startsWith('tcp:') ? [value] : []
  })
  const verifiesClients = verifies || argv.some((word) => /^--tlsverify(=true)?$/.test(word))
  return [...new Set(addresses)].map((address) => ({ source, line: undefined, address, verifiesClients }))
}

/** Command lines of the engine in the text of a unit, with their lines. Pure. */
export function unitOffers(path: string, text: string, verifies: boolean): TcpOffer[] {
  const offers: TcpOffer[] = []
  let started = 0
  let command = ''
  text.split('\n').forEach((line, index) => {
    const begins = /^\s*ExecStart\s*=\s*(.*)$/.exec(line)?.[1]
    if (command === '' && begins === undefined) return
    if (command === '') started = index + 1
    command += ` ${(begins ?? line).replace(/\\\s*$/, '')}`
    if (/\\\s*$/.test(line)) return
    const words = command.trim().split(/\s+/)
    for (const offer of offersOf(path, words, verifies)) offers.push({ ...offer, line: started })
    command = ''
  })
  return offers
}

/** `DOCKER_HOST=tcp://…` in a file of shell assignments, where nothing says that the server is verified. Pure. */
export function clientOffers(path: string, text: string): TcpOffer[] {
  const verifies = /^\s*(?:export\s+)?DOCKER_TLS_VERIFY=["']?[^\s"'#]/m.test(text)
  return text.split('\n').flatMap((line, index) => {
    const address = /^\s*(?:export\s+)?DOCKER_HOST=["']?(tcp:\/\/[^\s"'#;]+)/.exec(line)?.[1]
    return address ? [{ source: path, line: index + 1, address, verifiesClients: verifies }] : []
  })
}

/** Addresses of the registered port of the API without TLS, in /proc/net/tcp and tcp6. Pure. */
export function listensWithoutTls(text: string): boolean {
  return text
    .split('\n')
    .slice(1)
    .some((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/)
      return state === '0A' && Number.parseInt(local.split(':')[1] ?? '', 16) === 2375
    })
}

/** Pure: the API over TCP without client certificates is root for everyone who reaches it. */
export function judgeOffers(offers: TcpOffer[]): Finding[] {
  return offers
    .filter(({ verifiesClients }) => !verifiesClients)
    .map(({ source, line, address }) => ({
      rule: 'api-without-tls',
      subject: `${source}:${address}`,
      severity: 'critical',
      summary: `${source} has the API of the engine on ${address} without TLS: who reaches it can become root`,
      remedy: /DOCKER_HOST|profile|environment|rc$/.test(source)
        ? 'Use a socket or ssh://; or port 2376 with DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH'
        : `Take ${address} out of ${source}; or set tlsverify, tlscacert, tlscert and tlskey, and use port 2376\nsystemctl restart docker`,
      evidence: { path: source, ...(line === undefined ? {} : { line }), address },
    }))
}

/** Pure: registries that are asked without TLS. */
export function judgeInsecureRegistries(names: string[], subject: string): Finding[] {
  return names
    .filter((name) => !/^(127\.|::1|localhost)/.test(name))
    .map((name) => ({
      rule: 'insecure-registry',
      subject: name,
      severity: 'warning',
      summary: `Images of ${name} are fetched without looking whom they come from`,
      remedy: `Give ${name} a certificate, and take it out of insecure-registries in ${shellWord(subject)}`,
      evidence: { registry: name },
    }))
}
