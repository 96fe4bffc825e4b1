import type { Finding } from '../../agent/contract/mod.ts'
import type { ServerSettings, Setting } from './parse-server.ts'
import { pathAndLine, replaceLine } from './place.ts'

/** What sshd does where nothing is said: OpenSSH 9 as it is released. */
const DEFAULTS: Record<string, string> = {
  passwordauthentication: 'yes',
  kbdinteractiveauthentication: 'yes',
  permitrootlogin: 'prohibit-password',
  permitemptypasswords: 'no',
  permituserenvironment: 'no',
  hostbasedauthentication: 'no',
  ignorerhosts: 'yes',
  strictmodes: 'yes',
  x11forwarding: 'no',
}
/** Older names of keys. */
const ALIASES: Record<string, string> = {
  challengeresponseauthentication: 'kbdinteractiveauthentication',
  skeyauthentication: 'kbdinteractiveauthentication',
}

interface Demand {
  rule: string
  key: string
  severity: Finding['severity']
  isRight(value: string): boolean
  wanted: string
  /** After the subject: "sshd lets …". */
  says: string
}

const is =
  (...values: string[]) =>
  (value: string) =>
    values.includes(value.toLowerCase())

const DEMANDS: Demand[] = [
  {
    rule: 'password-login',
    key: 'passwordauthentication',
    severity: 'critical',
    isRight: is('no'),
    wanted: 'no',
    says: 'sshd lets people in by password',
  },
  {
    rule: 'password-login',
    key: 'kbdinteractiveauthentication',
    severity: 'warning',
    isRight: is('no'),
    wanted: 'no',
    says: 'sshd asks for passwords by keyboard-interactive, which PAM may answer',
  },
  {
    rule: 'root-login',
    key: 'permitrootlogin',
    severity: 'critical',
    isRight: is('no', 'prohibit-password', 'without-password', 'forced-commands-only'),
    wanted: 'prohibit-password',
    says: 'sshd lets root in by password',
  },
  {
    rule: 'empty-passwords',
    key: 'permitemptypasswords',
    severity: 'critical',
    isRight: is('no'),
    wanted: 'no',
    says: 'sshd lets accounts without a password in',
  },
  {
    rule: 'loose-setting',
    key: 'permituserenvironment',
    severity: 'warning',
    isRight: is('no'),
    wanted: 'no',
    says: 'users set the environment of their sessions, and with it what is executed',
  },
  {
    rule: 'loose-setting',
    key: 'hostbasedauthentication',
    severity: 'warning',
    isRight: is('no'),
    wanted: 'no',
    says: 'sshd trusts hosts instead of people',
  },
  {
    rule: 'loose-setting',
    key: 'ignorerhosts',
    severity: 'warning',
    isRight: is('yes', 'shosts-only'),
    wanted: 'yes',
    says: 'sshd believes files .rhosts',
  },
  {
    rule: 'loose-setting',
    key: 'strictmodes',
    severity: 'warning',
    isRight: is('yes'),
    wanted: 'yes',
    says: 'sshd takes keys from files that others can write',
  },
]

/** Broken, and in no default of OpenSSH 9: CBC modes, RC4, MD5 and shortened MACs, SHA-1 in key exchange, DSA. */
const WEAK =
  /^(?:[a-z0-9-]+-cbc(?:@[\w.]+)?|arcfour\d*|hmac-md5[\w-]*(?:@openssh\.com)?|hmac-sha1-96(?:-etm@openssh\.com)?|diffie-hellman-group(?:1|14|-exchange)-sha1|ssh-dss(?:-cert-v01@openssh\.com)?)$/
const ALGORITHMS = ['ciphers', 'macs', 'kexalgorithms', 'hostkeyalgorithms', 'pubkeyacceptedalgorithms']

/** Pure: what is wrong with the settings of sshd. What nobody has written is as its release has it. */
export function judgeServer(settings: ServerSettings): Finding[] {
  const findings: Finding[] = []
  const global = (key: string): Setting => {
    const written = settings.global.get(key) ?? settings.global.get(aliasOf(key) ?? '')
    const value = written?.value ?? DEFAULTS[key] ?? ''
    return { value, place: written?.place }
  }
  for (const demand of DEMANDS) {
    const { value, place } = global(demand.key)
    if (!demand.isRight(value)) findings.push(complaint(demand, value, place, undefined))
    for (const { condition, key, setting } of settings.matched) {
      if ((ALIASES[key] ?? key) !== demand.key || demand.isRight(setting.value)) continue
      findings.push(complaint(demand, setting.value, setting.place, condition))
    }
  }
  for (const key of ALGORITHMS) {
    const { value = '', place } = settings.global.get(key) ?? {}
    // A list with a minus in front takes away from the default.
    const weak = value.startsWith('-')
      ? []
      : value
          .replace(/^[+^]/, '')
          .split(',')
          .filter((name) => WEAK.test(name))
    if (weak.length === 0) continue
    findings.push({
      rule: 'weak-algorithm',
      subject: `sshd ${key}`,
      severity: 'warning',
      summary: `sshd offers ${weak.join(', ')}${place ? ` (${place})` : ''}`,
      remedy: `Take them out of ${key}${place ? ` in ${place}` : ''}, then: sshd -t && systemctl reload ssh`,
      evidence: { key, place: place ?? null, ...(place && pathAndLine(place)) },
    })
  }
  return findings
}

function aliasOf(key: string): string | undefined {
  return Object.keys(ALIASES).find((alias) => ALIASES[alias] === key)
}

function complaint(
  { rule, key, severity, wanted, says }: Demand,
  value: string,
  place: string | undefined,
  condition: string | undefined,
): Finding {
  const where = place ?? 'by its default'
  return {
    rule,
    subject: condition === undefined ? `sshd ${key}` : `sshd ${key} for ${condition}`,
    severity,
    summary: `${says}${condition === undefined ? '' : ` for ${condition}`}: ${key} is ${value || 'not set'} (${where})`,
    remedy:
      place === undefined
        ? `echo '${key} ${wanted}' > /etc/ssh/sshd_config.d/10-reeve.conf && sshd -t && systemctl reload ssh`
        : `${replaceLine(place, `${key} ${wanted}`)} && sshd -t && systemctl reload ssh`,
    evidence: {
      key,
      value,
      place: place ?? null,
      condition: condition ?? null,
      ...(place && pathAndLine(place)),
    },
  }
}
