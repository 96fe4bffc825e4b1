import { describeError } from '../../agent/contract/mod.ts'
import { type Credential, Unreadable } from './credential.ts'
import type { SshEndpointDeclaration } from './declaration.ts'
import { type Examination, toCredential } from './examination.ts'
import { parseSshKeys } from './parse/parse-ssh-key.ts'
import { addressOf, SSH_KEYSCAN } from './places.ts'
import { readCredentialFile } from './read-file.ts'

/** The host keys that SSH servers really show. One that does not answer is blind. */
export async function examineSshEndpoints(examination: Examination): Promise<Credential[]> {
  const { credentials } = examination.ctx.config
  const declared = credentials.filter((one): one is SshEndpointDeclaration => one.kind === 'ssh-endpoint')
  const found = await Promise.all(declared.map((declaration) => examineSsh(examination, declaration)))
  return found.flat()
}

async function examineSsh(
  examination: Examination,
  declaration: SshEndpointDeclaration,
): Promise<Credential[]> {
  const { ctx, gaps } = examination
  const subject = `ssh://${addressOf(declaration)}`
  const blind = (reason: string): Credential[] => {
    gaps.blind.push({ subject, reason })
    return []
  }
  const { host, port, timeout } = declaration
  const seconds = String(Math.max(1, Math.ceil(timeout / 1000)))
  try {
    const argv: [string, ...string[]] = [SSH_KEYSCAN, '-T', seconds, '-p', String(port), host]
    // It asks for one kind of key after the other.
    const result = await ctx.host.run(argv, { timeout: timeout * 6, signal: ctx.signal, maxBytes: 65_536 })
    const lines = result.stdout
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.replace(/^\S+\s+/, ''))
    if (lines.length === 0) return blind(`it shows no host key within ${seconds} s`)
    const { members, problems } = parseSshKeys(Buffer.from(lines.join('\n')), true)
    for (const problem of problems) blind(problem)
    const known = knownKeys(examination, declaration)
    return members.map((member) => {
      const credential = toCredential(
        examination,
        { declaration, path: addressOf(declaration), subject },
        member,
      )
      if (!known) return credential
      const matches = credential.fingerprint !== undefined && known.has(credential.fingerprint)
      const file = declaration.hostKeys ?? ''
      return { ...credential, served: { file, matches, fileSerial: '', fileMtimeMs: 0 } }
    })
  } catch (error) {
    ctx.signal.throwIfAborted()
    return blind(error instanceof Unreadable ? error.message : describeError(error))
  }
}

/** Keyed fingerprints of the host keys in the files; undefined where none are declared or can be read. */
function knownKeys(
  { ctx, gaps }: Examination,
  { hostKeys }: SshEndpointDeclaration,
): Set<string> | undefined {
  if (hostKeys === undefined) return undefined
  const blind = (subject: string, reason: string) => gaps.blind.push({ subject, reason })
  const known = new Set<string>()
  for (const { path, type } of ctx.host.glob(hostKeys, blind)) {
    if (type !== 'file') continue
    try {
      for (const { identity } of parseSshKeys(readCredentialFile(ctx.host, path).bytes, false).members) {
        if (identity) known.add(ctx.fingerprint(identity))
      }
    } catch (error) {
      blind(path, error instanceof Unreadable ? error.message : describeError(error))
    }
  }
  if (known.size > 0) return known
  blind(hostKeys, 'there is no host key to compare with')
  return undefined
}
