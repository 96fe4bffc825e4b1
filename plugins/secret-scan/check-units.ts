import { type Finding, isSecretName, shellWord } from '../../agent/contract/mod.ts'
import { secretFindings, WORDS } from './findings.ts'
import { type CommandProblem, judgeCommand, secretsOfCommand } from './judge-command.ts'
import { judgeValue } from './judge-value.ts'
import { parseAssignments, parseUnit, splitWords, type UnitSetting } from './parse-unit.ts'
import type { RuleName } from './rules.ts'
import type { FileMatch } from './scan-file.ts'
import type { Look } from './scan-files.ts'
import { shortHash } from './scan-text.ts'

const UNIT_RULES: RuleName[] = ['secret-in-unit', 'password-automation', 'unverified-transfer']

/** What units name: read after them. */
export interface UnitFacts {
  /** Environment files or patterns that a unit names, with the units. */
  environmentFiles: Map<string, string[]>
  /** `Environment=` by unit file. */
  assignments: Map<string, { name: string; value: string; line: number }[]>
}

/** Unit files and drop-ins: secrets in them, what their commands do, and the environment files that they name. */
export async function checkUnits(look: Look): Promise<UnitFacts> {
  const facts: UnitFacts = { environmentFiles: new Map(), assignments: new Map() }
  const { units, required } = look.context.config
  const patterns = [...units, ...required.flatMap(({ unit }) => unit ?? [])]
  if (patterns.length === 0) {
    look.notHere(['secret-in-unit'], 'the job names no units')
    return facts
  }
  let count = 0
  for await (const entry of look.files(patterns, UNIT_RULES)) {
    const text = look.text(entry.path, UNIT_RULES)
    if (text === undefined) continue
    count++
    look.examined++
    const settings = parseUnit(text)
    const assigned = settings.flatMap(({ key, value, line }) =>
      key === 'Environment' ? parseAssignments(value).map((assignment) => ({ ...assignment, line })) : [],
    )
    facts.assignments.set(entry.path, assigned)
    for (const file of environmentFilesOf(entry.path, settings)) {
      facts.environmentFiles.set(file, [...(facts.environmentFiles.get(file) ?? []), entry.path])
    }
    look.findings.push(
      ...secretFindings(look.place(entry), secretsOfUnit(settings), WORDS.unit),
      ...commandsOf(settings).flatMap(({ value, line }) =>
        judgeCommand(value, 'dangerous')
          .filter(({ rule }) => rule !== 'dangerous-command')
          .map((problem) => commandFinding(entry.path, line, problem)),
      ),
    )
  }
  if (count === 0 && !look.isDark('secret-in-unit'))
    look.notHere(['secret-in-unit'], 'there are no unit files')
  return facts
}

/** Pure: secrets that stand in the unit itself. */
export function secretsOfUnit(settings: UnitSetting[]): FileMatch[] {
  const match = (name: string, value: string, line: number): FileMatch => ({
    kind: 'named',
    name,
    sha256: shortHash(value),
    line,
  })
  return settings.flatMap(({ key, value, line }) => {
    if (key === 'Environment') {
      return parseAssignments(value)
        .filter((item) => isSecretVariable(item.name) && judgeValue(item.value) === 'literal')
        .map((item) => match(item.name, item.value, line))
    }
    if (key === 'SetCredential') {
      const [name = '', ...rest] = value.split(':')
      const text = rest.join(':')
      return judgeValue(text) === 'literal' ? [match(name, text, line)] : []
    }
    if (!/^Exec/.test(key)) return []
    return secretsOfCommand(value).map((item) => match(item.name, item.value, line))
  })
}

/** Names as guide 1 looks for them in units: whatever ends in KEY, too, but not what is public. */
function isSecretVariable(name: string): boolean {
  return (
    isSecretName(name) ||
    (/_(?:KEY|PASS|PW)$/i.test(name) && !/PUBLIC|PUB_|HOST|CACHE|SORT|PRIMARY/i.test(name))
  )
}

function commandsOf(settings: UnitSetting[]): UnitSetting[] {
  return settings.filter(({ key }) => /^Exec|^Environment$/.test(key))
}

export function commandFinding(
  path: string,
  line: number | null,
  { rule, what, remedy }: CommandProblem,
): Finding {
  return {
    rule,
    subject: `${path}:${what}`,
    severity: rule === 'dangerous-command' ? 'warning' : 'critical',
    summary: `${path}${line === null ? '' : `:${line}`} ${WHAT[rule]}: ${what}`,
    remedy: `sudoedit ${line === null ? '' : `+${line} `}${shellWord(path)}\n# ${remedy}`,
    evidence: { path, line, what },
  }
}

const WHAT = {
  'password-automation': 'logs in with a password',
  'unverified-transfer': 'does not look whom it talks to',
  'dangerous-command': 'has a command that hurts',
}

/** Pure: paths of `EnvironmentFile=`, as far as they can be told without the unit's instance. */
export function environmentFilesOf(unitPath: string, settings: UnitSetting[]): string[] {
  return settings
    .filter(({ key }) => key === 'EnvironmentFile')
    .flatMap(({ value }) => splitWords(value))
    .map((value) => {
      const home = /^(\/root|\/home\/[^/]+)\//.exec(unitPath)?.[1]
      const path = value.replace(/^-/, '').replaceAll('%%', '\0')
      return (
        home
          ? path.replaceAll('%h', home).replaceAll('%E', `${home}/.config`)
          : path.replaceAll('%h', '/root').replaceAll('%E', '/etc')
      ).replaceAll('\0', '%')
    })
    .filter((path) => path.startsWith('/') && !path.includes('%') && !/\/\.{1,2}(?:\/|$)|\/\//.test(path))
}
