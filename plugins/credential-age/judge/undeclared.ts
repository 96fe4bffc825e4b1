import type { Finding } from '../../../agent/contract/mod.ts'
import { rules } from '../rules.ts'
import type { UnitReference } from '../use/units.ts'

/** Where packages keep the options of their services. */
const PLAIN_SETTINGS = /^\/(etc\/(default|sysconfig)|run|usr)\//

/** Files of secrets that a unit reads and that nobody looks after. Pure. */
export function judgeUndeclared(references: UnitReference[], declared: Set<string>): Finding[] {
  const files = Map.groupBy(
    references.filter(
      // A command names files of all kinds; these two directives are for secrets and settings.
      ({ path, directive }) =>
        directive !== 'ExecStart' &&
        !declared.has(path) &&
        !/[%*?[]/.test(path) &&
        !(directive === 'EnvironmentFile' && PLAIN_SETTINGS.test(path)),
    ),
    ({ path }) => path,
  )
  return [...files].map(([path, uses]) => {
    const units = [...new Set(uses.map(({ unit }) => unit))].join(', ')
    const isCredential = uses.some(({ directive }) => directive.startsWith('LoadCredential'))
    return {
      rule: 'credential-undeclared',
      subject: path,
      severity: rules['credential-undeclared'].severity,
      summary: `${units} reads ${path}, which no declaration is about`,
      remedy: `Declare it: reeve credentials discover proposes how`,
      evidence: { units, directive: isCredential ? 'LoadCredential' : 'EnvironmentFile' },
    }
  })
}
