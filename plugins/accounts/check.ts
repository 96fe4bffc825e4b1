import { type Blind, type CheckContext, describeError, type Report } from '../../agent/contract/mod.ts'
import type { Area, AreaReport, Look } from './area.ts'
import { authorizedKeys } from './authorized-keys.ts'
import type { Config } from './config.ts'
import { linesOf, textOf } from './files.ts'
import { groupMembers } from './group-members.ts'
import { identities } from './identities.ts'
import { passwordAges, passwordPolicy, passwords } from './passwords.ts'
import { serviceUsers } from './service-users.ts'
import { sudo } from './sudo.ts'
import { parseGroup, parsePasswd, parseShadow, type ShadowEntry, type Table } from './tables.ts'

const AREAS: Area[] = [
  identities,
  passwords,
  passwordAges,
  passwordPolicy,
  serviceUsers,
  groupMembers,
  authorizedKeys,
  sudo,
]
const DEFAULT_SYSTEM_UID_MAX = 999

export async function checkAccounts({ config, host, signal }: CheckContext<Config>): Promise<Report> {
  const blind: Blind[] = []
  const read = <T>(path: string, parse: (text: string) => Table<T>): T[] => {
    const text = textOf(host, path)
    if (text === undefined) throw new Error(`Cannot read "${path}": there is none`)
    const { entries, malformed } = parse(text)
    for (const line of malformed.slice(0, 20)) {
      blind.push({
        subject: `${path}:${line}`,
        reason: 'this line is not understood',
        rules: RULES_OF_TABLES,
      })
    }
    return entries
  }
  let shadow: Map<string, ShadowEntry> | undefined
  const look: Look = {
    host,
    config,
    accounts: read('/etc/passwd', parsePasswd),
    groups: read('/etc/group', parseGroup),
    shadow: () => {
      shadow ??= new Map(read('/etc/shadow', parseShadow).map((entry) => [entry.name, entry]))
      return shadow
    },
    systemUidMax: systemUidMax(textOf(host, '/etc/login.defs') ?? ''),
  }
  const reports = AREAS.map((area) => {
    signal.throwIfAborted()
    return looked(area, look)
  })
  return {
    findings: reports.flatMap(({ findings }) => findings),
    blind: [...blind, ...reports.flatMap((report) => report.blind ?? [])],
    inapplicable: reports.flatMap(({ inapplicable = [] }) => inapplicable),
    facts: reports.flatMap(({ facts = [] }) => facts),
    coverage: { examined: reports.reduce((sum, { examined }) => sum + examined, 0), skipped: 0 },
  }
}

/** What a line of passwd, shadow or group may be about. */
const RULES_OF_TABLES = [identities, passwords, passwordAges, serviceUsers, groupMembers].flatMap(
  ({ rules }) => rules,
)

/** What one area cannot look at leaves the others as they are. */
function looked(area: Area, look: Look): AreaReport {
  try {
    return area.check(look)
  } catch (error) {
    const blind = [{ subject: area.subject, reason: describeError(error), rules: area.rules }]
    return { findings: [], blind, examined: 0 }
  }
}

/** Pure. */
export function systemUidMax(loginDefs: string): number {
  const setting = linesOf('', loginDefs).findLast(({ text }) => /^SYS_UID_MAX\s+\d+/.test(text))
  return setting ? Number(setting.text.split(/\s+/)[1]) : DEFAULT_SYSTEM_UID_MAX
}
