import {
  type Blind,
  type CheckContext,
  describeError,
  errnoOf,
  type FileSource,
  type FileStat,
  type Finding,
  globBase,
  type HostReader,
  isGlob,
  type Permissions,
} from '../../agent/contract/mod.ts'
import type { Config, Declaration } from './config.ts'
import { type Credential, type Member, type Parsed, Unreadable } from './credential.ts'
import { missingFinding } from './judge/credential.ts'
import { parseCertificates } from './parse/parse-certificate.ts'
import { parseEnvFile } from './parse/parse-env-file.ts'
import { parseOpenPgpKeys } from './parse/parse-openpgp.ts'
import { parseSshKeys } from './parse/parse-ssh-key.ts'
import { parseTokenFile } from './parse/parse-token-file.ts'
import { isPlaceholder, valueWeaknesses } from './value.ts'

/** More than any file of credentials has; what is larger is not one. */
const MAX_FILE_BYTES = 1_048_576
/** So that findings, metrics and memory stay within the bounds of one run. */
const MAX_CREDENTIALS = 2500
const MAX_PATH_LENGTH = 3000

export interface Found {
  credentials: Credential[]
  /** What is not there at all. */
  findings: Finding[]
  blind: Blind[]
  skipped: number
}

export function readPermissions(config: Config): Pick<Permissions, 'read' | 'list'> {
  const paths = [...new Set(config.credentials.map(({ path }) => path))]
  return { read: paths, list: [...new Set(paths.filter(isGlob).map(globBase))] }
}

/** Reads every declared place. Of a value nothing leaves here but its keyed fingerprint and its faults. */
export async function findCredentials(
  ctx: CheckContext<Config>,
  isKnown: (fingerprint: string) => boolean,
): Promise<Found> {
  const found: Found = { credentials: [], findings: [], blind: [], skipped: 0 }
  const subjects = new Set<string>()
  const places = ctx.config.credentials.flatMap((declaration) => expand(ctx.host, declaration, found))
  for (const [index, place] of places.entries()) {
    await new Promise((resume) => setImmediate(resume)) // so that an abort is noticed between two files
    ctx.signal.throwIfAborted()
    ctx.progress(index, places.length, 'credentials')
    for (const credential of await examine(ctx, place, isKnown, found)) {
      if (subjects.has(credential.subject)) found.skipped++
      else if (found.credentials.length < MAX_CREDENTIALS) found.credentials.push(credential)
      else {
        const reason = `this job has more than ${MAX_CREDENTIALS} credentials; split it in two`
        found.blind.push({ subject: place.path, reason })
        return withoutPublicHalves(found)
      }
      subjects.add(credential.subject)
    }
  }
  return withoutPublicHalves(found)
}

/** The credentials of one file. What goes wrong with it is blind, and the others are still looked at. */
async function examine(
  ctx: CheckContext<Config>,
  { declaration, path }: Place,
  isKnown: (fingerprint: string) => boolean,
  found: Found,
): Promise<Credential[]> {
  const blind = (reason: string) => found.blind.push({ subject: path, reason })
  let file: { bytes: Uint8Array; stat: FileStat }
  try {
    file = readCredentialFile(ctx.host, path)
  } catch (error) {
    blind(describeError(error))
    return []
  }
  let parsed: Parsed
  try {
    parsed = await parse(declaration, path, file.bytes, ctx.now)
  } catch (error) {
    // The text of any other error may quote what could not be parsed.
    blind(error instanceof Unreadable ? error.message : 'it cannot be examined: its form is not understood')
    return []
  }
  for (const problem of parsed.problems) blind(problem)
  found.skipped += parsed.skipped?.length ?? 0
  reportMissingKeys(declaration, path, parsed, found)
  return parsed.members.map((member) => toCredential(ctx, { declaration, path, member, isKnown }, file.stat))
}

interface Place {
  declaration: Declaration
  path: string
}

function expand(host: HostReader, declaration: Declaration, found: Found): Place[] {
  const { path } = declaration
  if (!isGlob(path)) return isThere(host, path) ? [{ declaration, path }] : missing(declaration, found)
  const before = found.blind.length
  const blind = (subject: string, reason: string) => found.blind.push({ subject, reason })
  const places: Place[] = []
  for (const entry of host.glob(path, blind)) {
    if (entry.path.length > MAX_PATH_LENGTH) blind(`${entry.path.slice(0, 200)}…`, 'its path is too long')
    else if (entry.type === 'file' || entry.type === 'symlink') places.push({ declaration, path: entry.path })
    else found.skipped++
  }
  return places.length > 0 || found.blind.length > before ? places : missing(declaration, found)
}

/** What cannot be told is there: opening it will say why it cannot be read. */
function isThere(host: HostReader, path: string): boolean {
  try {
    return host.statTarget(path) !== undefined
  } catch {
    return true
  }
}

function missing(declaration: Declaration, found: Found): Place[] {
  if (declaration.missingOk) found.skipped++
  else found.findings.push(missingFinding(declaration, declaration.path))
  return []
}

/**
 * A link is followed when it belongs to root or to the owner of what it leads to (the rule of the kernel's
 * fs.protected_symlinks): certificates are often links, and nobody's link shall show another one's secrets.
 */
function readCredentialFile(host: HostReader, path: string): { bytes: Uint8Array; stat: FileStat } {
  const link = host.stat(path)
  const source = openFollowing(host, path)
  try {
    if (link?.type === 'symlink' && link.uid !== 0 && link.uid !== source.stat.uid) {
      throw new Unreadable('it is a link that belongs neither to root nor to the owner of what it leads to')
    }
    return { bytes: readAll(source), stat: source.stat }
  } finally {
    source.close()
  }
}

function openFollowing(host: HostReader, path: string): FileSource {
  try {
    return host.open(path, { follow: true })
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') throw new Unreadable('its links lead in a circle')
    throw error
  }
}

function readAll(source: FileSource): Uint8Array {
  const limit = `at most ${MAX_FILE_BYTES} bytes are read`
  if (source.stat.size > MAX_FILE_BYTES) throw new Unreadable(`it has ${source.stat.size} bytes; ${limit}`)
  const chunks: Uint8Array[] = []
  for (let total = 0; ; ) {
    const chunk = new Uint8Array(65_536)
    const count = source.read(chunk, total)
    if (count === 0) return Buffer.concat(chunks)
    total += count
    if (total > MAX_FILE_BYTES) throw new Unreadable(`it grows while it is read; ${limit}`)
    chunks.push(chunk.subarray(0, count))
  }
}

async function parse(declaration: Declaration, path: string, bytes: Uint8Array, now: Date): Promise<Parsed> {
  switch (declaration.kind) {
    case 'env-file':
      return parseEnvFile(bytes, declaration.keys)
    case 'token-file':
      return parseTokenFile(bytes)
    case 'ssh-key':
      return parseSshKeys(bytes, path.includes('authorized_keys'))
    case 'certificate':
      return parseCertificates(bytes)
    case 'openpgp-key':
      return await parseOpenPgpKeys(bytes, now)
  }
}

function reportMissingKeys(declaration: Declaration, path: string, parsed: Parsed, found: Found): void {
  if (declaration.kind !== 'env-file' || declaration.missingOk) return
  // In a file that is not understood, a key may be there all the same.
  if (parsed.problems.length > 0) return
  const present = new Set([...parsed.members.map(({ id }) => id), ...(parsed.skipped ?? [])])
  for (const key of declaration.keys ?? []) {
    if (!present.has(key)) found.findings.push(missingFinding(declaration, `${path}#${key}`))
  }
}

function toCredential(
  ctx: CheckContext<Config>,
  from: Place & { member: Member; isKnown: (fingerprint: string) => boolean },
  stat: FileStat,
): Credential {
  const { value, identity, ...rest } = from.member
  const { declaration, path } = from
  const material = value ?? identity ?? ''
  const fingerprint = material.length === 0 ? undefined : ctx.fingerprint(material)
  let id = rest.id
  // A comment that was a token once is no name.
  if (declaration.kind === 'token-file' && id !== undefined && from.isKnown(ctx.fingerprint(id)))
    id = undefined
  if (declaration.kind === 'token-file' && id === undefined) id = fingerprint?.slice(0, 12)
  const placeholder = value !== undefined && value !== '' && isPlaceholder(value)
  const judged = value !== undefined && value !== '' && !placeholder && 'minLength' in declaration
  return {
    ...rest,
    id,
    subject: id === undefined ? path : `${path}#${id}`,
    path,
    declaration,
    fingerprint,
    placeholder,
    weaknesses: judged ? valueWeaknesses(value, declaration.minLength) : [],
    mode: stat.mode,
    mtimeMs: Math.floor(stat.mtimeMs),
    file: `${stat.dev}:${stat.ino}`,
  }
}

/** The .pub beside a private key is the same credential: it is reported once, with the private key. */
function withoutPublicHalves(found: Found): Found {
  const secret = found.credentials.filter(({ confidential }) => confidential)
  const keys = new Set(secret.map(({ path, fingerprint }) => `${fingerprint} ${path}.pub`))
  const credentials = found.credentials.filter(
    ({ confidential, path, fingerprint }) => confidential || !keys.has(`${fingerprint} ${path}`),
  )
  return { ...found, credentials, skipped: found.skipped + found.credentials.length - credentials.length }
}
