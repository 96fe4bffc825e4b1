import type { CheckContext } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import type { Credential } from './credential.ts'
import type { Declaration } from './declaration.ts'
import { toCredentialFile } from './read-file.ts'

/** API tokens of reeve that could be used now. Only what reeve says of them is known: not even their hash. */
export function ownCredentials(ctx: CheckContext<Config>): Credential[] {
  const { config, ownTokens, fingerprint } = ctx
  const declaration = config.credentials.find(({ kind }) => kind === 'reeve')
  if (!declaration) return []
  const tokens = (ownTokens ?? []).map(({ name, scope, id, createdAtMs, expiresAtMs, lastUsedAtMs }) => ({
    subject: `reeve#${name}`,
    path: 'reeve',
    id: name,
    label: `scope ${scope}${lastUsedAtMs === null ? ', never used' : ''}`,
    declaration,
    fingerprint: fingerprint(`token ${id}`),
    confidential: false,
    placeholder: false,
    weaknesses: [],
    issuedAtMs: createdAtMs,
    ...(expiresAtMs === null ? {} : { expiresAtMs }),
  }))
  return [...tokens, ...hostKey(ctx, declaration)]
}

/** The key of this host, from which all keyed identities come; it is as old as its file. */
function hostKey(
  { host, stateDir, fingerprint }: CheckContext<Config>,
  declaration: Declaration,
): Credential[] {
  const path = `${stateDir.replace(/\/jobs\/[^/]+$/, '')}/host.key`
  const stat = host.stat(path)
  if (stat?.type !== 'file') return []
  return [
    {
      subject: 'reeve#host.key',
      path,
      id: 'host.key',
      // To change it would make every credential a new one, and every sealed record an unknown one.
      declaration: { ...declaration, maxAge: 'never' },
      fingerprint: fingerprint('host.key'),
      confidential: true,
      placeholder: false,
      weaknesses: [],
      file: toCredentialFile(stat),
    },
  ]
}
