import {
  type Entry,
  type Finding,
  isGlob,
  isSecretName,
  isWithin,
  NotPermittedError,
  shellWord,
} from '../../agent/contract/mod.ts'
import type { UnitFacts } from './check-units.ts'
import { judgeRequirement, type Sourced } from './judge-requirement.ts'
import { judgeValue } from './judge-value.ts'
import { type Environment, parseEnvironment } from './parse-environment.ts'
import type { RuleName } from './rules.ts'
import type { Look } from './scan-files.ts'

const ENVIRONMENT_RULES: RuleName[] = ['malformed-environment', 'open-secret-file']
const REQUIRED_RULES: RuleName[] = ['missing-variable', 'weak-variable']
/** Read by shells or PAM: what is malformed for systemd is right there. */
const OTHER_FORM = /^\/etc\/(?:environment|profile|default\/)/

/** Environment files, those that units name and those of the job, and the variables that must be in them: their paths. */
export async function checkEnvironment(look: Look, units: UnitFacts): Promise<string[]> {
  const { config } = look.context
  const rules = config.required.length > 0 ? [...ENVIRONMENT_RULES, ...REQUIRED_RULES] : ENVIRONMENT_RULES
  const files = new Map<string, Environment>()
  const patterns = [
    ...config.environmentFiles,
    ...config.required.flatMap((requirement) => requirement.files),
  ]
  for await (const entry of look.files(patterns, rules)) readFile(look, entry, files, rules, false)
  for (const [pattern, by] of units.environmentFiles) {
    try {
      for await (const entry of look.files([pattern], rules)) readFile(look, entry, files, rules, true)
    } catch (error) {
      if (!(error instanceof NotPermittedError)) throw error
      look.dark(pattern, `${by[0]} names it: list it under environmentFiles of this job`, rules)
    }
  }
  if (files.size === 0 && !look.isDark('malformed-environment')) {
    look.notHere(['malformed-environment'], 'there are no environment files')
  }
  checkRequired(look, units, files)
  return [...files.keys()]
}

function readFile(
  look: Look,
  entry: Entry,
  files: Map<string, Environment>,
  rules: readonly RuleName[],
  isForUnit: boolean,
): void {
  if (files.has(entry.path)) return
  const text = look.text(entry.path, rules)
  if (text === undefined) return
  look.examined++
  const environment = parseEnvironment(text)
  files.set(entry.path, environment)
  const place = look.place(entry)
  const secret = environment.variables.find(
    ({ name, value }) => isSecretName(name) && judgeValue(value) === 'literal',
  )
  if (secret && (entry.mode & 0o077) !== 0) {
    look.findings.push(openFile(entry, place.isOpen, `the variable ${secret.name}`, secret.line))
  }
  if (!isForUnit && OTHER_FORM.test(entry.path)) return
  look.findings.push(
    ...environment.problems.map(
      ({ line, what }): Finding => ({
        rule: 'malformed-environment',
        subject: `${entry.path}:${placeOf(what, line)}`,
        severity: 'warning',
        summary: `${entry.path}:${line} is not read as it looks: ${what}`,
        remedy: what.startsWith('its lines end')
          ? `sed -i 's/\\r$//' ${shellWord(entry.path)}`
          : what.startsWith('it begins with')
            ? `sed -i '1s/^\\xEF\\xBB\\xBF//' ${shellWord(entry.path)}`
            : what.startsWith('"export"')
              ? `sed -i '${line}s/^\\s*export\\s\\+//' ${shellWord(entry.path)}`
              : `sudoedit +${line} ${shellWord(entry.path)}\n# Write NAME=value`,
        evidence: { path: entry.path, line },
      }),
    ),
  )
}

/** What is wrong with the whole file is told once, whatever stands on its first line. */
function placeOf(what: string, line: number): string {
  if (what.startsWith('its lines end')) return 'line endings'
  return what.startsWith('it begins with') ? 'byte order mark' : String(line)
}

/** A file of secrets that its group or everybody can read. */
export function openFile(entry: Entry, isOpen: boolean, what: string, line: number | null): Finding {
  const mode = entry.mode.toString(8).padStart(4, '0')
  return {
    rule: 'open-secret-file',
    subject: entry.path,
    severity: isOpen ? 'critical' : 'warning',
    summary: `${entry.path} holds ${what}, and ${isOpen ? 'everybody' : 'its group'} can read it: its mode is ${mode}`,
    remedy: `chmod 0600 ${shellWord(entry.path)}`,
    evidence: { path: entry.path, line, mode },
  }
}

function checkRequired(look: Look, units: UnitFacts, files: Map<string, Environment>): void {
  const { required } = look.context.config
  if (required.length === 0) {
    look.notHere(REQUIRED_RULES, 'the job requires no variables')
    return
  }
  for (const requirement of required) {
    const named = [...units.environmentFiles].flatMap(([path, by]) =>
      requirement.unit && by.includes(requirement.unit) ? [path] : [],
    )
    const wanted = [...requirement.files, ...named]
    const inFiles = [...files].flatMap(([path, { variables }]): Sourced[] =>
      wanted.some((pattern) => pattern === path || (isGlob(pattern) && look.matches(pattern, path)))
        ? variables.filter(({ name }) => name === requirement.name).map((variable) => ({ ...variable, path }))
        : [],
    )
    const inUnit = requirement.unit
      ? (units.assignments.get(requirement.unit) ?? [])
          .filter(({ name }) => name === requirement.name)
          .map((assignment): Sourced => ({ ...assignment, path: requirement.unit ?? '' }))
      : []
    // What could not be read may have it.
    const isDark = look.blind.some(({ subject }) => wanted.some((path) => isWithin(subject, path)))
    look.findings.push(
      ...judgeRequirement(
        requirement,
        [...inUnit, ...inFiles],
        isDark ? 'some' : 'all',
        wanted[0] ?? requirement.unit,
      ),
    )
  }
}
