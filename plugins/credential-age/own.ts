import type { CheckContext } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import type { Credential } from './credential.ts'

/** API tokens of reeve that could be used now. Only what reeve says of them is known: not even their hash. */
export function ownCredentials({ config, ownTokens, fingerprint }: CheckContext<Config>): Credential[] {
  const declaration = config.credentials.find(({ kind }) => kind === 'reeve')
  if (!declaration) return []
  return (ownTokens ?? []).map(({ name, scope, id, createdAtMs, expiresAtMs, lastUsedAtMs }) => ({
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
}
