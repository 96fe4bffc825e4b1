import type { Finding } from '../../../agent/contract/mod.ts'
import type { Credential } from '../credential.ts'
import type { RuleId } from '../rules.ts'
import { quote } from '../text.ts'
import { day } from '../words.ts'

type Reporter = (rule: RuleId, summary: string, more?: Partial<Finding>) => Finding

/** Chain, names and key of a certificate, and whether the port serves the one that its file holds. Pure. */
export function judgeCertificate(credential: Credential, report: Reporter): Finding[] {
  const { chainFaults = [], keyMatch, served, declaration, path, publicFingerprint } = credential
  const findings = chainFaults.map(({ rule, summary }) => report(rule, summary, remedyOf(rule, credential)))
  if (keyMatch && !keyMatch.matches) {
    findings.push(
      report('certificate-key-mismatch', `does not belong to the private key ${keyMatch.path}`, {
        remedy: `Put the key in place that it was issued for; compare: openssl x509 -in ${quote(path)} -noout -pubkey, and openssl pkey -in ${quote(keyMatch.path)} -pubout`,
        evidence: { keyFile: keyMatch.path },
      }),
    )
  }
  if (served && !served.matches) {
    const { file, fileSerial, fileExpiresAtMs } = served
    const expiry = fileExpiresAtMs === undefined ? '' : `, which is good until ${day(fileExpiresAtMs)}`
    const reload = declaration.service
      ? `systemctl reload-or-restart ${quote(declaration.service)}`
      : 'reload the service that listens there'
    findings.push(
      report('certificate-not-served', `is not the one in ${file}${expiry}: it was renewed, but not loaded`, {
        remedy: declaration.service ? reload : `Make it serve the new one: ${reload}`,
        evidence: { file, served: publicFingerprint ?? null, inFile: fileSerial },
      }),
    )
  }
  return findings
}

function remedyOf(rule: RuleId, { declaration, path }: Credential): Partial<Finding> {
  const file = 'path' in declaration ? quote(path) : undefined
  const look =
    file === undefined
      ? `openssl s_client -connect ${quote(path)} -showcerts </dev/null`
      : `openssl x509 -in ${file} -noout -subject -issuer -ext subjectAltName`
  switch (rule) {
    case 'certificate-chain-broken':
      return {
        remedy: `Put the certificates behind it in order, each issued by the next, without the root; look at them with: ${look}`,
      }
    case 'certificate-name-mismatch':
      return { remedy: `Have it issued for all its names; look at it with: ${look}` }
    default:
      return {
        remedy:
          'Have it issued by an authority that those who connect know; or, where they know this very certificate, set selfSignedOk: true',
      }
  }
}
