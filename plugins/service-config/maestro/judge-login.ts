import type { Finding } from '../../../agent/contract/mod.ts'
import { RANK, type Reach } from '../reach.ts'
import type { YamlNode } from '../read/yaml.ts'
import type { YamlConfig } from '../yaml-config.ts'
import { type Deployment, RESTART, say } from './deployment.ts'
import { PROVIDERS } from './keys.ts'

/** Providers that are set up: by a part of their own, or by being the primary one. */
export function providersOf(config: YamlConfig): {
  enabled: string[]
  declared: string[]
  primary: string | undefined
} {
  const isOn = (node: YamlNode | undefined) =>
    node !== undefined &&
    (node.value === true ||
      (node.kind === 'map' && node.entries.size > 0 && node.entries.get('enabled')?.value !== false))
  const declared = PROVIDERS.filter(
    (name) => isOn(config.at(`auth.${name}`)) || isOn(config.at(`auth.providers.${name}`)),
  )
  const primary = config.at('auth.primary_provider')?.value
  if (config.at('auth.enabled')?.value === false) return { enabled: [], declared: [], primary: undefined }
  const isDisabled = (name: string) => config.at(`auth.${name}.enabled`)?.value === false
  const named = typeof primary === 'string' && primary !== '' && !isDisabled(primary) ? [primary] : []
  return {
    enabled: [...new Set([...declared, ...named])],
    declared,
    primary: typeof primary === 'string' ? primary : undefined,
  }
}

/** Pure: who may log in, who is an administrator, and whether sessions last. */
export function judgeLogin(
  deployment: Deployment,
  { enabled, declared, primary }: ReturnType<typeof providersOf>,
  reach: Reach,
): Finding[] {
  const { config, settings, sessionKeyBytes } = deployment
  if (enabled.length === 0) {
    const summary = `No login is set up (auth: google, gitea or local), and MAESTRO can be reached from ${reach}: whoever does runs commands here`
    const remedy = `${config.edit('auth.primary_provider')('local')}\nSet up the accounts: Settings → Authentication, then: ${RESTART}`
    const severity = RANK[reach] <= RANK['its own containers'] ? 'warning' : 'critical'
    return [say(deployment, 'no-authentication', 'auth', summary, remedy, severity)]
  }
  const findings: Finding[] = []
  if (enabled.length > 1 && primary === undefined) {
    const summary = `${enabled.join(', ')} are set up, and auth.primary_provider does not say which is the one`
    findings.push(
      say(
        deployment,
        'no-primary-provider',
        'auth.primary_provider',
        summary,
        `${config.edit('auth.primary_provider')(enabled[0] ?? 'local')}\n${RESTART}`,
      ),
    )
  } else if (primary !== undefined && declared.length > 0 && !declared.some((name) => name === primary)) {
    const summary = `auth.primary_provider is ${primary.slice(0, 40)}, which is not set up; ${declared.join(', ')} is`
    findings.push(
      say(
        deployment,
        'no-primary-provider',
        'auth.primary_provider',
        summary,
        `${config.edit('auth.primary_provider')(declared[0] ?? 'local')}\n${RESTART}`,
      ),
    )
  }
  const admins = (config.at('auth.admin_emails')?.items ?? []).map(({ value }) => String(value ?? ''))
  const wide = admins.filter((email) => /\*|^@|^[^@]*$/.test(email))
  const example = `${config.edit('auth.admin_emails')('[ADDRESS@EXAMPLE.ORG]')}\n${RESTART}`
  if (admins.length === 0)
    findings.push(
      say(
        deployment,
        'administrators',
        'auth.admin_emails',
        'auth.admin_emails names nobody: who is an administrator is left to chance',
        example,
      ),
    )
  else if (wide.length > 0)
    findings.push(
      say(
        deployment,
        'administrators',
        'auth.admin_emails',
        'auth.admin_emails names more than single people',
        example,
      ),
    )
  else if (admins.length > settings.maestro.administrators) {
    const summary = `${admins.length} people are administrators, at most ${settings.maestro.administrators} are wanted`
    findings.push(say(deployment, 'administrators', 'auth.admin_emails', summary, example))
  }
  const secret = config.at('auth.session_secret')?.value
  if (
    (secret === undefined || secret === null || secret === '') &&
    (sessionKeyBytes ?? 0) < 32 &&
    deployment.runtime.kind !== 'container'
  ) {
    const summary =
      sessionKeyBytes === undefined
        ? 'auth.session_secret is not set, and data/secrets/session-secret.key is not there: a start may end every session'
        : `data/secrets/session-secret.key has ${sessionKeyBytes} bytes, wanted at least 32`
    const directory = config.path.slice(0, Math.max(1, config.path.lastIndexOf('/')))
    const remedy = `install -d -m 700 ${directory}/data/secrets\nopenssl rand -hex 32 > ${directory}/data/secrets/session-secret.key\nchmod 600 ${directory}/data/secrets/session-secret.key\n${RESTART}`
    findings.push(say(deployment, 'unstable-session-secret', 'auth.session_secret', summary, remedy))
  }
  return findings
}
