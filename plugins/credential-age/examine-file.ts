import { describeError, type FileStat } from '../../agent/contract/mod.ts'
import { type Credential, type Member, type Parsed, Unreadable } from './credential.ts'
import type { CertificateDeclaration, FileDeclaration } from './declaration.ts'
import { authoritiesOf, type Examination, toCredential } from './examination.ts'
import { type ChainFault, judgeChain } from './judge/chain.ts'
import { missingFinding } from './judge/credential.ts'
import { parseFile, parseKeyFile } from './parse/parse-file.ts'
import { foldPath } from './parse/parse-settings.ts'
import { keyFileOf, type Place } from './places.ts'
import { readCredentialFile, toCredentialFile } from './read-file.ts'

/** The credentials of one file. What goes wrong with it is blind, and the others are still looked at. */
export async function examineFile(
  examination: Examination,
  { declaration, path }: Place,
): Promise<Credential[]> {
  const { ctx, gaps } = examination
  const blind = (reason: string) => gaps.blind.push({ subject: path, reason })
  let read: { bytes: Uint8Array; stat: FileStat }
  try {
    read = readCredentialFile(ctx.host, path)
  } catch (error) {
    blind(describeError(error))
    return []
  }
  let parsed: Parsed
  try {
    parsed = await parseFile(ctx, declaration, path, read.bytes)
  } catch (error) {
    ctx.signal.throwIfAborted()
    // The text of any other error may quote what could not be parsed.
    blind(error instanceof Unreadable ? error.message : 'it cannot be examined: its form is not understood')
    return []
  }
  for (const problem of parsed.problems) blind(problem)
  gaps.skipped += parsed.skipped?.length ?? 0
  if (parsed.members.length === 0 && parsed.problems.length === 0) gaps.skipped++
  reportMissingKeys(examination, declaration, path, parsed)
  const file = toCredentialFile(read.stat)
  const credentials = parsed.members.map((member) =>
    toCredential(examination, { declaration, path, file }, member),
  )
  const [own] = credentials
  if (own && declaration.kind === 'certificate') {
    own.chainFaults = judgeFileChain(examination, declaration, path, parsed.members)
    own.keyMatch = await matchKey(examination, declaration, path, own.keyFingerprint)
  }
  return credentials
}

function judgeFileChain(
  examination: Examination,
  declaration: CertificateDeclaration,
  path: string,
  members: Member[],
): ChainFault[] {
  const { authority, hostNames = [], selfSignedOk } = declaration
  const authorities = authority === undefined ? undefined : authoritiesOf(examination, authority)
  if (authority !== undefined && authorities === undefined) return []
  try {
    return judgeChain(
      members.flatMap(({ der }) => (der ? [der] : [])),
      { hostNames, authorities, selfSignedOk, connected: hostNames.length > 0 },
    )
  } catch {
    examination.gaps.blind.push({ subject: path, reason: 'its chain cannot be verified' })
    return []
  }
}

/** Whether the declared private key belongs to a certificate; undefined where none is declared or can be read. */
async function matchKey(
  { ctx, gaps }: Examination,
  declaration: CertificateDeclaration,
  path: string,
  certificateKey: string | undefined,
): Promise<Credential['keyMatch']> {
  const keyPath = keyFileOf(declaration, path)
  if (keyPath === undefined) return undefined
  const blind = (reason: string) => {
    gaps.blind.push({ subject: keyPath, reason })
    return undefined
  }
  try {
    const { bytes } = readCredentialFile(ctx.host, keyPath)
    const { members, problems } = await parseKeyFile(ctx, keyPath, bytes, declaration.password)
    const keys = members.flatMap(({ publicKey }) => (publicKey ? [ctx.fingerprint(publicKey)] : []))
    if (keys.length === 0) return blind(problems[0] ?? 'there is no private key in it')
    if (certificateKey === undefined) return blind('the public key of its certificate is of no known kind')
    return { path: keyPath, matches: keys.includes(certificateKey) }
  } catch (error) {
    ctx.signal.throwIfAborted()
    return blind(
      error instanceof Unreadable || (error instanceof Error && error.message.startsWith('Cannot '))
        ? error.message
        : 'it cannot be examined: its form is not understood',
    )
  }
}

function reportMissingKeys(
  { gaps }: Examination,
  declaration: FileDeclaration,
  path: string,
  parsed: Parsed,
): void {
  if (declaration.kind !== 'env-file' && declaration.kind !== 'settings-file') return
  // In a file that is not understood, a key may be there all the same.
  if (declaration.missingOk || parsed.problems.length > 0) return
  const fold = declaration.kind === 'settings-file' ? foldPath : (key: string) => key
  const present = new Set(
    [...parsed.members.flatMap(({ id }) => id ?? []), ...(parsed.skipped ?? [])].map(fold),
  )
  for (const key of declaration.keys ?? []) {
    if (!present.has(fold(key))) gaps.findings.push(missingFinding(declaration, `${path}#${key}`))
  }
}
