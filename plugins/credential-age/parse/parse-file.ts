import type { CheckContext } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { type Parsed, PasswordProtected, Unreadable } from '../credential.ts'
import type { FileDeclaration } from '../declaration.ts'
import { parseCertificates } from './parse-certificate.ts'
import { parseEnvFile } from './parse-env-file.ts'
import { loginFormat, parseLogins } from './parse-logins.ts'
import { parseOpenPgpKeys } from './parse-openpgp.ts'
import { parsePasswordFile, parseShadow } from './parse-password-hashes.ts'
import { parseOpenedKey, parsePrivateKeys } from './parse-private-key.ts'
import { parseSettings, settingsFormat } from './parse-settings.ts'
import { parseSshKeys } from './parse-ssh-key.ts'
import { parseTokenFile } from './parse-token-file.ts'
import { parseUnit } from './parse-unit.ts'

/** Opens what is protected by a password, in a process that can be ended. */
export const OPENSSL = '/usr/bin/openssl'
const OPENSSL_TIMEOUT_MS = 10_000

type Context = Pick<CheckContext<Config>, 'host' | 'now' | 'secret' | 'signal'>

/** The credentials in the bytes of a file. Throws Unreadable, whose message never quotes them. */
export async function parseFile(
  ctx: Context,
  declaration: FileDeclaration,
  path: string,
  bytes: Uint8Array,
): Promise<Parsed> {
  switch (declaration.kind) {
    case 'env-file':
      return parseEnvFile(bytes, declaration.keys)
    case 'token-file':
      return parseTokenFile(bytes)
    case 'settings-file':
      return await parseSettings(bytes, declaration.format ?? settingsFormat(path), declaration.keys)
    case 'unit-file':
      return parseUnit(bytes)
    case 'login-file':
      return parseLogins(bytes, declaration.format ?? loginFormat(path))
    case 'password-file':
      return parsePasswordFile(bytes, declaration.minBcryptCost)
    case 'account-passwords':
      return parseShadow(bytes, declaration.minBcryptCost)
    case 'ssh-key':
      return parseSshKeys(bytes, path.includes('authorized_keys'))
    case 'certificate':
      return await withPassword(
        () => parseCertificates(bytes),
        async () =>
          parseCertificates(
            Buffer.from(await openssl(ctx, ['pkcs12', '-nokeys', '-in'], path, declaration.password)),
          ),
      )
    case 'private-key':
      return await parseKeyFile(ctx, path, bytes, declaration.password)
    case 'openpgp-key':
      return await parseOpenPgpKeys(bytes, ctx.now)
  }
}

export function parseKeyFile(
  ctx: Context,
  path: string,
  bytes: Uint8Array,
  password: string | undefined,
): Promise<Parsed> {
  return withPassword(
    () => parsePrivateKeys(bytes),
    async (error) => {
      if (password === undefined) throw error
      return parseOpenedKey(await openssl(ctx, ['pkey', '-pubout', '-in'], path, password))
    },
  )
}

async function withPassword(
  parse: () => Parsed,
  open: (error: PasswordProtected) => Promise<Parsed>,
): Promise<Parsed> {
  try {
    return parse()
  } catch (error) {
    if (error instanceof PasswordProtected) return await open(error)
    throw error
  }
}

/** What openssl makes of a file; the password goes over its standard input. */
async function openssl(
  { host, secret, signal }: Context,
  [command = '', ...options]: string[],
  path: string,
  password: string | undefined,
): Promise<string> {
  const file = host.root === '/' ? path : host.root + path
  const stdin = `${password === undefined ? '' : secret(password)}\n`
  const result = await host.run([OPENSSL, command, '-passin', 'stdin', ...options, file], {
    stdin,
    signal,
    timeout: OPENSSL_TIMEOUT_MS,
  })
  if (result.timedOut) throw new Unreadable(`openssl did not open it within ${OPENSSL_TIMEOUT_MS / 1000} s`)
  if (result.exitCode === 0) return result.stdout
  throw new Unreadable(
    password === undefined
      ? 'it is protected by a password; give `password` to have it examined'
      : 'openssl cannot open it: its password is not the one given, or its encryption is too old',
  )
}
