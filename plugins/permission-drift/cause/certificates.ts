import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import {
  type EntryState,
  type HostReader,
  type HostWriter,
  type Json,
  z,
} from '../../../agent/contract/mod.ts'
import type { Cause, Change } from '../change.ts'
import { type Evidence, isHarmless } from './evidence.ts'
import { Look, parentOf } from './look.ts'

const remembered = z.strictObject({
  names: z.string(),
  notBeforeMs: z.number(),
  /** SHA-256 of the public key of the certificate at the end of the chain that was there, or of itself. */
  topKey: z.string(),
})
type Remembered = z.output<typeof remembered>
const file = z.strictObject({
  version: z.literal(1),
  certificates: z.record(z.string(), remembered),
  seal: z.string(),
})

const MAX_PEM_BYTES = 1_048_576
const MAX_CERTIFICATES = 2000
const BUNDLE = '/etc/ssl/certs/ca-certificates.crt'
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

/** A certificate that took the place of another one. */
interface Renewal {
  leaf: X509Certificate
  /** Of all that were found beside it: the chain. */
  fingerprints: Set<string>
  subject: string
}

/**
 * Renewed certificates: where a file of the configured patterns holds another certificate than at the last check,
 * it has to be for the same names, issued later, valid now, and of an issuer that this host trusts or that it had
 * before. It explains itself, its chain, the private key that belongs to it, and the links to these.
 */
export class Certificates {
  private readonly before: Map<string, Remembered>
  private readonly now = new Map<string, Remembered>()
  /** By directory, also the one that links lead to. */
  private renewals: Map<string, Renewal> | undefined
  private readonly look: Look

  constructor(
    private readonly evidence: Evidence,
    private readonly place: { state: HostWriter; stateDir: string },
    private readonly patterns: readonly string[],
  ) {
    this.look = new Look(evidence)
    this.before = readRemembered(place.state, place.stateDir, evidence.fingerprint)
  }

  explain(change: Change): Cause | undefined {
    if (change.kind === 'removed') return undefined
    this.renewals ??= this.findRenewals()
    const { after } = change
    const renewal = this.renewals.get(parentOf(after.path))
    if (!renewal || !this.belongs(change, after, renewal)) return undefined
    const { leaf, subject } = renewal
    return { kind: 'certificate', detail: `certificate of ${subject} renewed, valid from ${leaf.validFrom}` }
  }

  /** Remembers the certificates as they are now, for the next check. */
  remember(): void {
    this.renewals ??= this.findRenewals()
    if (Bun.deepEquals(this.before, this.now)) return
    const certificates = Object.fromEntries(this.now)
    const seal = this.evidence.fingerprint(JSON.stringify(certificates))
    const text = JSON.stringify({ version: 1, certificates, seal } satisfies z.input<typeof file>)
    this.place.state.writeFile(pathOf(this.place.stateDir), text, { replace: true })
  }

  private findRenewals(): Map<string, Renewal> {
    const { host, onBlind } = this.evidence
    const renewals = new Map<string, Renewal>()
    for (const pattern of this.patterns) {
      for (const { path } of host.glob(pattern, onBlind).slice(0, MAX_CERTIFICATES)) {
        const [leaf, ...rest] = certificatesIn(host, path)
        if (!leaf) continue
        const real = this.look.leadsTo(path) ?? path
        const chain = [...rest, ...this.besides(path)]
        const fact = factsOf(leaf, chain)
        this.now.set(path, fact)
        const before = this.before.get(path)
        if (!before || !this.isRenewal(before, leaf, chain)) continue
        const fingerprints = new Set([leaf, ...chain].map(({ fingerprint256 }) => fingerprint256))
        const renewal = { leaf, fingerprints, subject: fact.names.slice(0, 200) }
        for (const directory of [parentOf(path), parentOf(real)]) renewals.set(directory, renewal)
      }
    }
    return renewals
  }

  /** Certificates of the chain that stand in files of their own, as certbot and acme.sh have them. */
  private besides(path: string): X509Certificate[] {
    const directory = parentOf(path)
    return ['chain.pem', 'fullchain.pem', 'ca.cer', 'fullchain.cer'].flatMap((name) => {
      const other = `${directory}/${name}`
      return other === path ? [] : certificatesIn(this.evidence.host, other)
    })
  }

  private isRenewal(before: Remembered, leaf: X509Certificate, chain: X509Certificate[]): boolean {
    const nowMs = this.evidence.now.getTime()
    const fact = factsOf(leaf, chain)
    if (fact.names !== before.names || fact.notBeforeMs <= before.notBeforeMs) return false
    if (fact.notBeforeMs > nowMs || Date.parse(leaf.validTo) <= nowMs) return false
    return fact.topKey === before.topKey || this.isTrusted(topOf(leaf, chain))
  }

  /** Whether the top of a chain was issued by a certificate that this host trusts. */
  private isTrusted(top: X509Certificate): boolean {
    return certificatesIn(this.evidence.host, BUNDLE, 16 * MAX_PEM_BYTES).some(
      (root) => root.subject === top.issuer && top.checkIssued(root) && top.verify(root.publicKey),
    )
  }

  private belongs(
    change: Exclude<Change, { kind: 'removed' }>,
    after: EntryState,
    renewal: Renewal,
  ): boolean {
    if (change.kind === 'changed') {
      // Whoever can read the key is not a matter of renewal.
      const isOther = change.attributes.some((attribute) =>
        ['mode', 'owner', 'group', 'acl', 'type'].includes(attribute),
      )
      if (isOther) return false
    }
    if (after.type === 'symlink') {
      const target = this.look.leadsTo(after.path)
      return after.uid === 0 && target !== undefined && this.holds(target, renewal, true)
    }
    if (after.type !== 'file') return false
    // A new key is for its owner, and a group at most.
    const isPrivate = (after.mode & 0o137) === 0
    return this.holds(
      after.path,
      renewal,
      change.kind === 'changed' || isPrivate,
      isHarmless(after) || change.kind === 'changed',
    )
  }

  /** Whether a file holds nothing but certificates of the chain, or the key of the certificate. */
  private holds(
    path: string,
    { leaf, fingerprints }: Renewal,
    mayBeKey: boolean,
    mayBePublic = true,
  ): boolean {
    const text = readPem(this.evidence.host, path)
    if (text === undefined) return false
    const certificates = parseAll(text)
    if (certificates.length > 0) {
      const rest = text.replace(PEM_CERTIFICATE, '').trim()
      return (
        mayBePublic &&
        rest === '' &&
        certificates.every(({ fingerprint256 }) => fingerprints.has(fingerprint256))
      )
    }
    if (!mayBeKey || !/^-----BEGIN (?:RSA |EC )?PRIVATE KEY-----/.test(text)) return false
    try {
      return leaf.checkPrivateKey(createPrivateKey(text))
    } catch {
      return false // no key, or one with a passphrase
    }
  }
}

function factsOf(leaf: X509Certificate, chain: X509Certificate[]): Remembered {
  const names = (leaf.subjectAltName ?? leaf.subject).split(', ').toSorted().join(', ')
  return { names, notBeforeMs: Date.parse(leaf.validFrom), topKey: keyOf(topOf(leaf, chain)) }
}

/** The last certificate of the chain of issuers that starts with the leaf, each one verified. */
function topOf(leaf: X509Certificate, chain: X509Certificate[]): X509Certificate {
  let top = leaf
  for (let depth = 0; depth < 10; depth++) {
    const issuer = chain.find(
      (one) => one.fingerprint256 !== top.fingerprint256 && top.checkIssued(one) && top.verify(one.publicKey),
    )
    if (!issuer) return top
    top = issuer
  }
  return top
}

function keyOf(certificate: X509Certificate): string {
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
}

function certificatesIn(host: HostReader, path: string, maxBytes?: number): X509Certificate[] {
  const text = readPem(host, path, maxBytes)
  return text === undefined ? [] : parseAll(text)
}

function parseAll(text: string): X509Certificate[] {
  return (text.match(PEM_CERTIFICATE) ?? []).flatMap((pem) => {
    try {
      return [new X509Certificate(pem)]
    } catch {
      return []
    }
  })
}

function readPem(host: HostReader, path: string, maxBytes = MAX_PEM_BYTES): string | undefined {
  try {
    return host.readText(path, { maxBytes, follow: true })
  } catch {
    return undefined // not there, or no file: it explains nothing
  }
}

function pathOf(stateDir: string): string {
  return `${stateDir}/certificates.json`
}

function readRemembered(
  state: HostWriter,
  stateDir: string,
  fingerprint: (value: string) => string,
): Map<string, Remembered> {
  const path = pathOf(stateDir)
  if (!state.stat(path)) return new Map()
  const parsed = file.safeParse(JSON.parse(state.readText(path, { maxBytes: 64 * MAX_PEM_BYTES })) as Json)
  // One that this host did not write explains nothing.
  if (!parsed.success || parsed.data.seal !== fingerprint(JSON.stringify(parsed.data.certificates)))
    return new Map()
  return new Map(Object.entries(parsed.data.certificates))
}
