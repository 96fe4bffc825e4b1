import { createPrivateKey, X509Certificate } from 'node:crypto'
import { type HostWriter, UserError } from '../../../agent/contract/mod.ts'
import { judgeChain } from '../judge/chain.ts'
import { parseCertificates } from '../parse/parse-certificate.ts'
import { parseEnvFile } from '../parse/parse-env-file.ts'
import { keyFileOf } from '../places.ts'
import { setVariable } from './edit-env.ts'
import { addToken, removeToken, tokenLines } from './edit-tokens.ts'
import { readOwn, removeBeside, replaceContent, statOfOwn, writeNext, writePrevious } from './files.ts'
import type { Journal } from './journal.ts'
import { StepFailed } from './programs.ts'
import { isHashed, type Rotatable } from './rotatable.ts'

type Identities = Pick<Journal, 'oldValue' | 'newValue' | 'oldEntry' | 'newEntry' | 'content'>

export interface KindContext {
  host: HostWriter
  now: Date
  fingerprint(value: string | Uint8Array): string
  /** SHA-256 in hex, for files in which only hashes stand. */
  sha256(value: string): string
}

/** Writes the new content beside an env-file or token-file, the old one untouched. */
export function prepareText(ctx: KindContext, rotatable: Rotatable, value: string): Identities {
  const { declaration, rotation, path } = rotatable
  const { host, fingerprint } = ctx
  statOfOwn(host, path)
  const text = readOwn(host, path)
  if (declaration.kind === 'env-file') {
    const key =
      rotation.entry ??
      onlyName(
        parseEnvFile(Buffer.from(text)).members.map(({ id }) => id),
        path,
      )
    const [old] = parseEnvFile(Buffer.from(text), [key]).members
    if (!old?.value) throw new UserError(`there is no ${key} in ${path}`)
    writeNext(host, path, setVariable(text, key, value))
    const [oldValue, newValue] = [fingerprint(old.value), fingerprint(value)]
    return { oldValue, newValue, oldEntry: oldValue, newEntry: newValue, content: fingerprint(text) }
  }
  const lines = tokenLines(text)
  const named = rotation.entry === undefined ? lines : lines.filter(({ name }) => name === rotation.entry)
  const [old, other] = named
  if (!old) throw new UserError(`there is no token ${rotation.entry ?? ''} in ${path}`)
  if (other)
    throw new UserError(`${path} has ${named.length} such tokens; set rotation.entry to the name of one`)
  const entry = isHashed(declaration) ? ctx.sha256(value) : value
  writeNext(host, path, addToken(text, old, entry, ctx.now.toISOString().slice(0, 10)))
  return {
    content: fingerprint(text),
    oldEntry: fingerprint(old.text),
    newEntry: fingerprint(entry),
    newValue: fingerprint(value),
    ...(isHashed(declaration)
      ? oldClientValue(ctx, rotatable, old.text)
      : { oldValue: fingerprint(old.text) }),
  }
}

/** Of a hash, the token is with its client, if that is on this host. */
function oldClientValue(
  ctx: KindContext,
  { rotation }: Rotatable,
  hash: string,
): Pick<Identities, 'oldValue'> {
  for (const { path, key } of rotation.deliver) {
    const text = readOwn(ctx.host, path)
    const value = key === undefined ? text.trim() : parseEnvFile(Buffer.from(text), [key]).members[0]?.value
    if (value && ctx.sha256(value) === hash) return { oldValue: ctx.fingerprint(value) }
  }
  return {}
}

function onlyName(names: (string | undefined)[], path: string): string {
  const [only, other] = names
  if (only !== undefined && other === undefined) return only
  throw new UserError(`${path} has ${names.length} secrets; set rotation.entry to one of ${names.join(', ')}`)
}

/** Takes one token out of a token-file, whatever else was changed in it since. */
export function removeEntry(ctx: KindContext, path: string, entry: string | undefined): void {
  const text = readOwn(ctx.host, path)
  const line = tokenLines(text).find((one) => ctx.fingerprint(one.text) === entry)
  if (line) replaceContent(ctx.host, path, removeToken(text, line.text))
}

/** Identity of the first certificate of a file. */
export function certificateIdentity(ctx: KindContext, path: string): string {
  const [own] = parseCertificates(ctx.host.read(path, { follow: true })).members
  if (!own?.identity) throw new StepFailed(`there is no certificate in ${path}`)
  return ctx.fingerprint(own.identity)
}

/** Before a certificate is issued: private places for what the command writes, empty. */
export function prepareCertificatePlaces(host: HostWriter, { declaration, path }: Rotatable): void {
  for (const file of certificateFiles(declaration, path)) {
    statOfOwn(host, file)
    writeNext(host, file, '')
  }
}

/** Before an authority's client renews in place: a copy of what is there, in case that it is no good. */
export function keepCertificateCopies(host: HostWriter, { declaration, path }: Rotatable): void {
  for (const file of certificateFiles(declaration, path)) {
    writePrevious(host, file, host.read(file, { follow: true }))
  }
}

/** Certificate and key, in the order in which they are switched: a key alone harms nobody for a moment. */
export function certificateFiles(declaration: Rotatable['declaration'], path: string): string[] {
  const key = declaration.kind === 'certificate' ? keyFileOf(declaration, path) : undefined
  return key === undefined ? [path] : [key, path]
}

/** Throws StepFailed unless a certificate may take the place of the old one. */
export function assertGoodCertificate(
  { host, now }: KindContext,
  { declaration }: Rotatable,
  certificatePath: string,
  keyPath: string,
): void {
  if (declaration.kind !== 'certificate') return
  const { members, problems } = parseCertificates(host.read(certificatePath, { follow: true }))
  const chain = members.flatMap(({ der }) => (der ? [der] : []))
  const [own] = chain
  if (!own || problems.length > 0) throw new StepFailed('the new certificate cannot be read')
  const certificate = new X509Certificate(own)
  if (!certificate.checkPrivateKey(createPrivateKey(Buffer.from(host.read(keyPath, { follow: true }))))) {
    throw new StepFailed('the new certificate does not belong to the new key')
  }
  if (Date.parse(certificate.validTo) <= now.getTime())
    throw new StepFailed('the new certificate has expired')
  if (Date.parse(certificate.validFrom) > now.getTime() + 3_600_000) {
    throw new StepFailed('the new certificate is not valid yet')
  }
  const authorities =
    declaration.authority === undefined
      ? undefined
      : parseCertificates(host.read(declaration.authority, { follow: true })).members.flatMap(({ der }) =>
          der ? [der] : [],
        )
  const [fault] = judgeChain(chain, {
    hostNames: declaration.hostNames ?? [],
    authorities,
    selfSignedOk: declaration.selfSignedOk,
    connected: (declaration.hostNames ?? []).length > 0,
  })
  if (fault) throw new StepFailed(`the new certificate ${fault.summary}`)
}

/** Removes what a rotation left beside its files. */
export function removeLeftovers(host: HostWriter, { declaration, rotation, path }: Rotatable): void {
  for (const file of [
    ...certificateFiles(declaration, path),
    ...rotation.deliver.map((client) => client.path),
  ]) {
    removeBeside(host, file)
  }
}
