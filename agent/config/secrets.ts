import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { isAbsolute } from 'node:path'
import { errnoOf, UserError } from '../lib/errors.ts'
import { type Redactor, SHORTEST_SECRET } from '../lib/redact.ts'
import { SECRET_REFERENCE } from '../lib/secret-names.ts'

const MAX_SECRET_BYTES = 65_536

export interface SecretOptions {
  /** The value is registered here before it is returned, so that no sink can show it. */
  redactor: Redactor
  /** Beside root the only owner a secret file may have. Default: the user that this process runs as. */
  serviceUid?: number
}

/**
 * The value behind a secret reference: `env:NAME` (or the file that NAME_FILE names), `file:/path` (a regular file, 0600 or 0400, owned by the
 * service user or root; one trailing newline does not count) or `credential:NAME` (of systemd, from
 * $CREDENTIALS_DIRECTORY). Throws a UserError that says what to do and never the value.
 */
export function resolveSecret(
  reference: string,
  env: Record<string, string | undefined>,
  options: SecretOptions,
): string {
  const refuse = (reason: string): never => {
    throw new UserError(`Cannot resolve the secret "${shownReference(reference)}": ${reason}`)
  }
  const colon = reference.indexOf(':')
  const [scheme, rest] = [reference.slice(0, Math.max(0, colon)), reference.slice(colon + 1)]
  const value = readReference(scheme, rest, env, options, refuse)
  if (value === '') return refuse('it is empty')
  if (value.length < SHORTEST_SECRET) {
    return refuse(`it is shorter than ${SHORTEST_SECRET} characters; make one with: openssl rand -hex 32`)
  }
  options.redactor.add(value)
  // A sink may show one line of a secret that has several, such as a key in PEM.
  for (const line of value.includes('\n') ? value.split(/\r?\n/) : []) {
    if (!line.startsWith('-----')) options.redactor.add(line)
  }
  return value
}

type Refuse = (reason: string) => never

function readReference(
  scheme: string,
  rest: string,
  env: Record<string, string | undefined>,
  options: SecretOptions,
  refuse: Refuse,
): string {
  switch (scheme) {
    case 'env': {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(rest)) return refuse('that is no name of a variable')
      const value = Object.hasOwn(env, rest) ? env[rest] : undefined
      if (value !== undefined) return value
      // The custom of container images: NAME_FILE names a file with the value.
      const file = Object.hasOwn(env, `${rest}_FILE`) ? env[`${rest}_FILE`] : undefined
      if (file) return readReference('file', file, env, options, refuse)
      return refuse('the variable is not set; set it in a file that the unit names as EnvironmentFile=')
    }
    case 'file': {
      if (!isAbsolute(rest)) return refuse('wanted an absolute path')
      const owners = [0, options.serviceUid ?? process.getuid?.() ?? 0]
      return readSecretFile(rest, (stat) => describeUnsafeFile(rest, stat, owners), refuse)
    }
    case 'credential': {
      if (!/^[A-Za-z0-9_.-]+$/.test(rest) || /^\.{1,2}$/.test(rest)) {
        return refuse('the name of a credential has letters, digits, "_", "." and "-" only')
      }
      const directory = env.CREDENTIALS_DIRECTORY
      if (!directory || !isAbsolute(directory)) {
        return refuse(
          `systemd passed no credentials to this process; add LoadCredential=${rest}:/path/of/the/file to the unit`,
        )
      }
      // systemd grants the service user access by an ACL, which shows as group bits: only the others count.
      return readSecretFile(
        `${directory}/${rest}`,
        (stat) => ((stat.mode & 0o007) === 0 ? undefined : 'every user has access to it'),
        refuse,
      )
    }
    default:
      return refuse('wanted env:NAME, file:/path or credential:NAME')
  }
}

function describeUnsafeFile(path: string, stat: Stats, owners: number[]): string | undefined {
  const mode = stat.mode & 0o7777
  if (!owners.includes(stat.uid)) {
    return `it belongs to user id ${stat.uid}, wanted the service user or root; run: chown ${owners.at(-1)} ${quote(path)}`
  }
  if (mode === 0o600 || mode === 0o400) return undefined
  return `its mode is ${mode.toString(8).padStart(4, '0')}, wanted 0600 or 0400; run: chmod 0600 ${quote(path)}`
}

/** Judges and reads one and the same open file, so that it cannot be swapped in between. */
function readSecretFile(path: string, judge: (stat: Stats) => string | undefined, refuse: Refuse): string {
  let descriptor: number
  try {
    // O_NONBLOCK: a named pipe must not make us wait for a writer.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const code = errnoOf(error) ?? String(error)
    return refuse(OPEN_FAILURES[code] ?? `it cannot be opened (${code})`)
  }
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) return refuse('it is no regular file')
    const unsafe = judge(stat)
    if (unsafe) return refuse(unsafe)
    const buffer = new Uint8Array(MAX_SECRET_BYTES + 1)
    let total = 0
    for (;;) {
      const count = readSync(descriptor, buffer, total, buffer.length - total, total)
      if (count === 0) break
      total += count
      if (total > MAX_SECRET_BYTES) return refuse(`it is larger than ${MAX_SECRET_BYTES} bytes`)
    }
    return decodeText(buffer.subarray(0, total), refuse).replace(/\r?\n$/, '')
  } finally {
    closeSync(descriptor)
  }
}

const OPEN_FAILURES: Record<string, string> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  ELOOP: 'it is a symbolic link; name the file itself',
  EACCES: 'permission denied; let the service user read it',
  ENXIO: 'it is no regular file',
}

function decodeText(bytes: Uint8Array, refuse: Refuse): string {
  if (bytes.includes(0)) return refuse('it holds NUL bytes; wanted text')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return refuse('it is not UTF-8 text')
  }
}

/** A reference is no secret, but something that was mistaken for one may be: only its scheme is shown then. */
function shownReference(reference: string): string {
  if (SECRET_REFERENCE.test(reference)) return reference
  return `${/^(env|file|credential):/.exec(reference)?.[0] ?? ''}…`
}

function quote(path: string): string {
  return /^[A-Za-z0-9_./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
