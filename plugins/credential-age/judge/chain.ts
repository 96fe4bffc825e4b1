import { X509Certificate } from 'node:crypto'
import { isIpAddress } from '../text.ts'

export type ChainRule = 'certificate-chain-broken' | 'certificate-name-mismatch' | 'certificate-self-signed'

export interface ChainFault {
  rule: ChainRule
  /** After the name of the certificate: "is not for …". */
  summary: string
}

export interface Expectations {
  hostNames: string[]
  /** DER of those who must have issued it; undefined: the chain must only hold together. */
  authorities?: Uint8Array[] | undefined
  selfSignedOk: boolean
  /** Others connect to it: by a port, or as its host names say. */
  connected: boolean
}

/**
 * What is wrong with a chain, its own certificate first, for one who connects. A file whose first certificate is
 * an authority's is a bundle, of which nothing is expected. Pure but for the arithmetic of the signatures.
 */
export function judgeChain(chain: Uint8Array[], expected: Expectations): ChainFault[] {
  const certificates = chain.map((der) => new X509Certificate(der))
  const [own] = certificates
  const last = certificates.at(-1)
  if (!own || !last) return []
  const faults: ChainFault[] = []
  const missing = expected.hostNames.filter((name) => !isFor(own, name))
  if (missing.length > 0) {
    faults.push({ rule: 'certificate-name-mismatch', summary: `is not for ${missing.join(', ')}` })
  }
  if (!expected.connected && own.ca) return faults
  for (const [index, certificate] of certificates.entries()) {
    const issuer = certificates[index + 1]
    if (!issuer || isIssuedBy(certificate, issuer)) continue
    faults.push({
      rule: 'certificate-chain-broken',
      summary: `has a broken chain: certificate ${index + 1} was not issued by the one that follows it`,
    })
    return faults
  }
  if (isSelfSigned(own)) {
    const isKnown =
      !expected.connected || expected.selfSignedOk || expected.authorities?.some((der) => own.raw.equals(der))
    if (!isKnown) {
      faults.push({
        rule: 'certificate-self-signed',
        summary: 'is signed by itself: who connects cannot tell it from anybody else’s',
      })
    }
  } else if (expected.authorities && !isAnchored(last, expected.authorities)) {
    faults.push({
      rule: 'certificate-chain-broken',
      summary: `has a chain that leads to none of the ${expected.authorities.length} authorities (a missing intermediate?)`,
    })
  }
  return faults
}

export function isSelfSigned(certificate: X509Certificate): boolean {
  return isIssuedBy(certificate, certificate)
}

function isAnchored(last: X509Certificate, authorities: Uint8Array[]): boolean {
  return authorities.some((der) => {
    if (last.raw.equals(der)) return true
    try {
      return isIssuedBy(last, new X509Certificate(der))
    } catch {
      return false // an authority that cannot be read vouches for nobody
    }
  })
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.issuer === issuer.subject && certificate.verify(issuer.publicKey)
  } catch {
    return false // a key of a kind that the runtime does not know
  }
}

function isFor(certificate: X509Certificate, name: string): boolean {
  return (isIpAddress(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined
}
