import type { CheckContext } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import type { Credential } from './credential.ts'
import type { Examination } from './examination.ts'
import { examineEndpoints } from './examine-endpoint.ts'
import { examineFile } from './examine-file.ts'
import { examineSshEndpoints } from './examine-ssh.ts'
import { ownCredentials } from './own.ts'
import { expand, type Gaps, isFileDeclaration } from './places.ts'

/** So that findings, metrics and memory stay within the bounds of one run. */
const MAX_CREDENTIALS = 2500

export interface Found extends Gaps {
  credentials: Credential[]
}

/** Looks at every declared place. Of a value nothing comes back but its keyed fingerprint and its faults. */
export async function findCredentials(
  ctx: CheckContext<Config>,
  isKnown: (fingerprint: string) => boolean,
): Promise<Found> {
  const found: Found = { credentials: [], findings: [], blind: [], skipped: 0 }
  const subjects = new Set<string>()
  /** False when there is no room for more. */
  const keep = (credential: Credential): boolean => {
    if (subjects.has(credential.subject)) found.skipped++
    else if (found.credentials.length < MAX_CREDENTIALS) found.credentials.push(credential)
    else {
      const reason = `this job has more than ${MAX_CREDENTIALS} credentials; split it in two`
      found.blind.push({ subject: credential.path, reason })
      return false
    }
    subjects.add(credential.subject)
    return true
  }
  const examination: Examination = { ctx, isKnown, gaps: found, authorities: new Map() }
  const files = ctx.config.credentials.filter(isFileDeclaration)
  const places = files.flatMap((declaration) => expand(ctx.host, declaration, found))
  for (const [index, place] of places.entries()) {
    // So that an abort is noticed between two files.
    await new Promise((resume) => setImmediate(resume))
    ctx.signal.throwIfAborted()
    ctx.progress(index, places.length, 'credentials')
    const credentials = await examineFile(examination, place)
    if (!credentials.every(keep)) return withoutPublicHalves(found)
  }
  ;(await examineEndpoints(examination)).every(keep)
  ;(await examineSshEndpoints(examination)).every(keep)
  ownCredentials(ctx).every(keep)
  return withoutPublicHalves(found)
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
