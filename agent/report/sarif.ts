import { pathToFileURL } from 'node:url'
import type { StoredFinding } from '../store/read-findings.ts'
import { type Format, isUnseen, type ReportModel, titleOf } from './model.ts'

// SARIF 2.1.0, OASIS standard: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html

const LEVELS = { critical: 'error', warning: 'warning', info: 'note' } as const

/** For code-scanning dashboards. */
export const sarif: Format = {
  means: 'SARIF 2.1.0, for code-scanning dashboards',
  render: (model) => `${JSON.stringify(document(model), null, 2)}\n`,
}

function document(model: ReportModel): object {
  const ids = [...new Set(model.findings.map(ruleIdOf))].sort()
  const dark = model.jobs.filter(isUnseen)
  return {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: { name: 'reeve', version: model.version, rules: ids.map((id) => describeRule(id, model)) },
        },
        automationDetails: { id: `reeve/${model.host}/${new Date(model.at).toISOString()}` },
        invocations: [
          {
            executionSuccessful: dark.length === 0,
            endTimeUtc: new Date(model.at).toISOString(),
            machine: model.host,
            toolExecutionNotifications: dark.map(({ name, state, reason }) => ({
              level: 'error',
              message: { text: `The job ${name} is ${state}${reason ? `: ${reason}` : ''}` },
            })),
          },
        ],
        columnKind: 'utf16CodeUnits',
        results: model.findings.map((finding) => describeResult(finding, ids, model)),
      },
    ],
  }
}

function ruleIdOf({ plugin, rule }: StoredFinding): string {
  return `${plugin}/${rule}`
}

function describeRule(id: string, { rules }: ReportModel): object {
  const rule = rules.get(id)
  return {
    id,
    name: id
      .split(/[/-]/)
      .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
      .join(''),
    shortDescription: { text: rule?.means ?? id },
    defaultConfiguration: { level: rule ? LEVELS[rule.severity] : 'warning' },
    ...(rule?.references?.length && { properties: { tags: rule.references } }),
  }
}

function describeResult(finding: StoredFinding, ids: string[], { since }: ReportModel): object {
  const ruleId = ruleIdOf(finding)
  const { waived, remedy } = finding
  return {
    ruleId,
    ruleIndex: ids.indexOf(ruleId),
    level: LEVELS[finding.severity],
    kind: 'fail',
    message: { text: remedy ? `${titleOf(finding)}\n\nWhat to do: ${remedy}` : titleOf(finding) },
    locations: [locationOf(finding)],
    partialFingerprints: { 'reeve/v1': finding.fingerprint, 'reeveJob/v1': finding.job },
    baselineState: finding.state === 'resolved' ? 'absent' : finding.openedAt >= since ? 'new' : 'unchanged',
    // An empty array says that nothing suppresses it; a missing one that nobody knows.
    suppressions: waived
      ? [
          {
            kind: 'external',
            status: 'accepted',
            justification: `${waived.reason} (${waived.owner}, until ${waived.expires})`,
          },
        ]
      : [],
    properties: {
      job: finding.job,
      firstSeenAt: new Date(finding.openedAt).toISOString(),
      lastSeenAt: new Date(finding.lastSeenAt).toISOString(),
      regressions: finding.regressions,
      ...(finding.references.length > 0 && { tags: finding.references }),
    },
  }
}

/** A file with its line where the finding names one, else the subject by its name. */
function locationOf({ subject, evidence }: StoredFinding): object {
  const place = typeof evidence.path === 'string' && evidence.path.startsWith('/') ? evidence.path : subject
  const path = /^(\/[^\0]*?)(?::(\d+))?$/s.exec(place)
  if (!path?.[1]) return { logicalLocations: [{ fullyQualifiedName: subject }] }
  const line = Number(path[2] ?? evidence.line ?? 0)
  return {
    physicalLocation: {
      artifactLocation: { uri: pathToFileURL(path[1]).href },
      ...(Number.isInteger(line) && line > 0 && { region: { startLine: line } }),
    },
  }
}
