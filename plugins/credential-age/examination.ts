import type { CheckContext } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import type { Credential, CredentialFile, Member } from './credential.ts'
import type { Declaration } from './declaration.ts'
import type { ChainFault } from './judge/chain.ts'
import { parseCertificates } from './parse/parse-certificate.ts'
import { readJwt } from './parse/parse-jwt.ts'
import type { Gaps } from './places.ts'
import { readCredentialFile } from './read-file.ts'
import { isPlaceholder, valueWeaknesses } from './value.ts'

/** One look at all places. */
export interface Examination {
  ctx: CheckContext<Config>
  /** Whether a fingerprint is one of a value that was seen before. */
  isKnown(fingerprint: string): boolean
  gaps: Gaps
  /** Certificates of the authorities' files that were read so far. */
  authorities: Map<string, Uint8Array[] | undefined>
}

interface Source {
  declaration: Declaration
  path: string
  /** In front of "#id". */
  subject?: string
  file?: CredentialFile | undefined
  chainFaults?: ChainFault[]
}

/** Of a value nothing leaves here but its keyed fingerprint and its faults. */
export function toCredential({ ctx, isKnown }: Examination, source: Source, member: Member): Credential {
  const { value, identity, publicKey, der: _der, ...rest } = member
  const { declaration, path, file } = source
  const material = value ?? identity ?? ''
  const fingerprint = material.length === 0 ? undefined : ctx.fingerprint(material)
  let id = rest.id
  if (declaration.kind === 'token-file') {
    // A comment that was a token once is no name.
    if (id !== undefined && isKnown(ctx.fingerprint(id))) id = undefined
    id ??= fingerprint?.slice(0, 12)
  }
  const place = source.subject ?? path
  const hasValue = value !== undefined && value !== ''
  const jwt = hasValue ? readJwt(value) : undefined
  const placeholder = hasValue && isPlaceholder(value)
  const judged = hasValue && !placeholder && !jwt && 'minLength' in declaration
  return {
    ...rest,
    ...jwt,
    id,
    subject: id === undefined ? place : `${place}#${id}`,
    path,
    declaration,
    fingerprint,
    ...(publicKey ? { keyFingerprint: ctx.fingerprint(publicKey) } : {}),
    placeholder,
    weaknesses: [
      ...(rest.faults ?? []),
      ...(jwt?.faults ?? []),
      ...(judged ? valueWeaknesses(value, declaration.minLength) : []),
    ],
    ...(hasValue && declaration.kind === 'token-file' ? { form: formOf(value) } : {}),
    file,
  }
}

function formOf(value: string): Credential['form'] {
  if (/^[0-9a-f]{64}$/.test(value)) return 'sha256'
  return /^[0-9a-fA-F]{64}$/.test(value) ? 'sha256-upper' : 'plain'
}

/** DER of the authorities in a file; undefined, and a blind spot, when it cannot be read. */
export function authoritiesOf(examination: Examination, path: string): Uint8Array[] | undefined {
  const { authorities, ctx, gaps } = examination
  if (authorities.has(path)) return authorities.get(path)
  let known: Uint8Array[] | undefined
  try {
    const { members } = parseCertificates(readCredentialFile(ctx.host, path).bytes)
    known = members.flatMap(({ der }) => (der ? [der] : []))
  } catch {
    gaps.blind.push({
      subject: path,
      reason: 'the authorities in it cannot be read: no chain can be judged by them',
    })
  }
  authorities.set(path, known)
  return known
}
