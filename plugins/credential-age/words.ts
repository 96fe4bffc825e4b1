import type { Credential } from './credential.ts'
import { quote } from './text.ts'
import { DAY_MS } from './timing.ts'

/** "The variable API_TOKEN in /etc/app/env", to begin a sentence. */
export function nameOf({ declaration, path, id, label, subject }: Credential): string {
  const name = declaration.name === undefined ? '' : ` (${declaration.name})`
  switch (declaration.kind) {
    case 'env-file':
      return `${id === undefined ? path : `The variable ${id} in ${path}`}${name}`
    case 'token-file':
      return `${id === undefined ? path : `The token ${id} in ${path}`}${name}`
    case 'ssh-key':
      return `The SSH key ${id === undefined ? path : `${label || id} in ${path}`}${name}`
    case 'settings-file':
      return `The value ${id} in ${path}${name}`
    case 'unit-file':
      return `The variable ${id} in the unit ${path}${name}`
    case 'login-file':
      return `The login for ${id} in ${path}${name}`
    case 'password-file':
      return `The password of ${id} in ${path}${name}`
    case 'account-passwords':
      return `The password of the account ${id}${name}`
    case 'private-key':
      return `${id === undefined ? `The private key ${path}` : `The private key in ${id} of ${path}`}${name}`
    case 'tls-endpoint':
      return `${id === undefined ? `What ${subject} serves` : `Certificate ${id} that ${subject.replace(/#.*/, '')} serves`}${name}`
    case 'ssh-endpoint':
      return `The host key ${id} that ${subject.replace(/#.*/, '')} shows${name}`
    case 'reeve':
      return `The API token ${id} of reeve${name}`
    case 'certificate':
      return `${id === undefined ? `The certificate ${path}` : `Certificate ${id} in ${path}`}${name}`
    case 'openpgp-key':
      return `The OpenPGP key ${id} in ${path}${name}`
  }
}

/** "90 days", "5 hours" */
export function roughly(milliseconds: number): string {
  const [count, unit] =
    milliseconds >= 2 * DAY_MS
      ? [Math.floor(milliseconds / DAY_MS), 'day']
      : milliseconds >= 3_600_000
        ? [Math.floor(milliseconds / 3_600_000), 'hour']
        : [Math.max(0, Math.floor(milliseconds / 60_000)), 'minute']
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

const LAST_DATE_MS = 8_640_000_000_000_000

/** "2027-03-31T06:30:00.000Z"; the first or last date there is for what a file claims beyond it. */
export function iso(atMs: number): string {
  return new Date(Math.min(Math.max(atMs, -LAST_DATE_MS), LAST_DATE_MS)).toISOString()
}

/** "2027-03-31" */
export function day(atMs: number): string {
  return iso(atMs).replace(/T.*$/, '')
}

/** How to put another in its place. */
export function replaceRemedy(credential: Credential): string {
  const { declaration, path, id, line, publicFingerprint } = credential
  const file = quote(path)
  const steps: string[] = []
  switch (declaration.kind) {
    case 'env-file':
      steps.push(
        `Make a new value with: openssl rand -hex 32`,
        `set ${id ?? 'the variable'} to it in ${path}`,
      )
      break
    case 'token-file':
      steps.push(
        'Make a new token with: openssl rand -hex 32',
        `add it to ${path}, give it to its clients, then remove the old one${line ? ` in line ${line}` : ''}`,
      )
      break
    case 'ssh-key':
      if (credential.confidential) {
        steps.push(
          `Make a new pair with: ssh-keygen -t ed25519 -f ${quote(`${path}.new`)}`,
          `add the new public key wherever ${publicFingerprint ?? 'the old one'} is accepted, check that it works`,
          `put it in the place of ${path}, then remove the old public key everywhere`,
        )
      } else {
        steps.push(
          'Let the owner make a new pair with: ssh-keygen -t ed25519',
          `put the new public key into ${path} in the place of ${line ? `line ${line}, ` : ''}${publicFingerprint ?? 'the old one'}`,
        )
      }
      break
    case 'settings-file':
    case 'unit-file':
    case 'login-file':
      steps.push('Make a new one where it is checked', `set ${id ?? 'it'} to it in ${path}`)
      break
    case 'password-file':
      steps.push(`Set a new one with: htpasswd -B -C 12 ${file} ${quote(id ?? '')}`)
      break
    case 'account-passwords':
      steps.push(`Set a new one with: passwd ${quote(id ?? '')}; or lock it: passwd -l ${quote(id ?? '')}`)
      break
    case 'private-key':
      steps.push(
        `Make a new one with: openssl genpkey -algorithm ed25519 -out ${quote(`${path}.new`)}`,
        'have what belongs to it issued for it, then put both in place',
      )
      break
    case 'tls-endpoint':
      steps.push(`Renew it, and reload what listens on ${path}`)
      break
    case 'ssh-endpoint':
      steps.push(
        'Make a new one with: ssh-keygen -A, after the old one is moved away; tell its clients the new one',
      )
      break
    case 'reeve':
      steps.push(`reeve token rotate ${quote(id ?? '')}; give the new one to its clients`)
      break
    case 'certificate':
      steps.push(
        `Renew it where it was issued; look at it with: openssl x509 -in ${file} -noout -subject -issuer -enddate`,
      )
      break
    case 'openpgp-key':
      steps.push(
        credential.revoked
          ? 'Make a new one: what is revoked stays so'
          : `Extend it with: gpg --quick-set-expire ${publicFingerprint ?? 'FINGERPRINT'} 1y (and again with '*' at its end, for its subkeys), or make a new one`,
        `export it to ${path} and to whoever uses it`,
      )
      break
  }
  if (declaration.service) steps.push(`load it with: systemctl restart ${quote(declaration.service)}`)
  if (declaration.runbook) steps.push(`the runbook is ${declaration.runbook}`)
  return steps.join('; ')
}
