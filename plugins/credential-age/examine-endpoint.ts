import { describeError, type TlsHandshake } from '../../agent/contract/mod.ts'
import { type Credential, Unreadable } from './credential.ts'
import type { EndpointDeclaration } from './declaration.ts'
import { authoritiesOf, type Examination, toCredential } from './examination.ts'
import { type Expectations, judgeChain } from './judge/chain.ts'
import { parseCertificates, parseServedChain } from './parse/parse-certificate.ts'
import { addressOf } from './places.ts'
import { readCredentialFile } from './read-file.ts'
import { isIpAddress } from './text.ts'

/** So that fifty that do not answer cost the time of a few. */
const PROBES_AT_ONCE = 25

/** What all declared ports serve. One that does not answer is blind, and the others are still looked at. */
export async function examineEndpoints(examination: Examination): Promise<Credential[]> {
  const { ctx } = examination
  const waiting = ctx.config.credentials.filter(
    (one): one is EndpointDeclaration => one.kind === 'tls-endpoint',
  )
  const results: Credential[][] = waiting.map(() => [])
  const queue = waiting.entries()
  const probe = async () => {
    for (const [index, declaration] of queue) {
      ctx.signal.throwIfAborted()
      results[index] = await examineEndpoint(examination, declaration)
      ctx.progress(index, waiting.length, 'ports')
    }
  }
  await Promise.all(Array.from({ length: PROBES_AT_ONCE }, probe))
  return results.flat()
}

/** "tls://mail.example.org:465", with the name that is asked for where that is another one. */
export function endpointSubject(declaration: EndpointDeclaration): string {
  const { serverName, host, startTls } = declaration
  const name = serverName === undefined || serverName === host ? '' : `/${serverName}`
  return `${startTls ?? 'tls'}://${addressOf(declaration)}${name}`
}

async function examineEndpoint(
  examination: Examination,
  declaration: EndpointDeclaration,
): Promise<Credential[]> {
  const { ctx, gaps } = examination
  const subject = endpointSubject(declaration)
  const blind = (reason: string): Credential[] => {
    gaps.blind.push({ subject, reason })
    return []
  }
  const { host, port, serverName, startTls, timeout } = declaration
  let served: TlsHandshake
  try {
    served = await ctx.host.handshake({
      host,
      port,
      serverName,
      startTls,
      timeoutMs: timeout,
      signal: ctx.signal,
    })
  } catch (error) {
    ctx.signal.throwIfAborted()
    return blind(describeError(error))
  }
  try {
    const members = parseServedChain(served.certificates)
    const credentials = members.map((member) =>
      toCredential(examination, { declaration, path: addressOf(declaration), subject }, member),
    )
    const [own] = credentials
    const expected = expectationsOf(examination, declaration)
    if (own) {
      if (expected) own.chainFaults = judgeChain(served.certificates, expected)
      own.served = compareWithFile(examination, declaration, own)
      own.protocol = served.protocol
    }
    return credentials
  } catch (error) {
    return blind(error instanceof Unreadable ? error.message : 'what it serves is not understood')
  }
}

/** Undefined when the authorities cannot be read, which is a blind spot by itself. */
function expectationsOf(
  examination: Examination,
  { host, serverName, hostNames, authority, selfSignedOk }: EndpointDeclaration,
): Expectations | undefined {
  const authorities = authority === undefined ? undefined : authoritiesOf(examination, authority)
  if (authority !== undefined && authorities === undefined) return undefined
  const asked = serverName ?? (isIpAddress(host) ? undefined : host)
  const names = hostNames ?? (asked === undefined ? [] : [asked])
  return { hostNames: names, authorities, selfSignedOk, connected: true }
}

/** Whether what is served is the first certificate of the declared file. */
function compareWithFile(
  { ctx, gaps }: Examination,
  { certificate }: EndpointDeclaration,
  own: Credential,
): Credential['served'] {
  if (certificate === undefined) return undefined
  try {
    const { bytes, stat } = readCredentialFile(ctx.host, certificate)
    const [first] = parseCertificates(bytes).members
    if (!first?.identity) throw new Unreadable('there is no certificate in it')
    return {
      file: certificate,
      matches: ctx.fingerprint(first.identity) === own.fingerprint,
      fileSerial: first.publicFingerprint ?? '',
      fileExpiresAtMs: first.expiresAtMs,
      fileMtimeMs: Math.floor(stat.mtimeMs),
    }
  } catch (error) {
    gaps.blind.push({ subject: certificate, reason: describeError(error) })
    return undefined
  }
}
