import type { AuditedItem } from '../engine/audit.ts'
import type { StoredFinding } from '../store/read-findings.ts'
import { type Format, type ReportModel, titleOf } from './model.ts'

// OCSF 1.3.0 (schema.ocsf.io): Compliance Finding is class 2003, Detection Finding class 2004, of category 2.

const SEVERITY_IDS = { info: 1, warning: 3, critical: 5 } as const
const COMPLIANCE_STATUS = {
  pass: [1, 'Pass'],
  attested: [1, 'Pass'],
  waived: [2, 'Warning'],
  fail: [3, 'Fail'],
  blind: [0, 'Unknown'],
  'not-applicable': [99, 'Other'],
} as const

/** An event a line, for security data lakes. */
export const ocsf: Format = {
  means: 'OCSF 1.3 events, a JSON object a line, for security data lakes',
  render: (model) =>
    [
      ...model.findings.map((finding) => detection(finding, model)),
      ...model.audits.flatMap(({ name, profile, items }) =>
        items.map((item) => compliance(item, name, profile, model)),
      ),
    ]
      .map((event) => `${JSON.stringify(event)}\n`)
      .join(''),
}

function common(model: ReportModel, classId: number, activityId: number) {
  return {
    category_uid: 2,
    category_name: 'Findings',
    class_uid: classId,
    activity_id: activityId,
    type_uid: classId * 100 + activityId,
    time: model.at,
    metadata: {
      version: '1.3.0',
      product: { name: 'reeve', vendor_name: 'reeve', version: model.version },
    },
    device: { hostname: model.host, type_id: 0 },
  }
}

function detection(finding: StoredFinding, model: ReportModel): object {
  const isClosed = finding.state === 'resolved'
  const isNew = finding.openedAt >= model.since
  const [statusId, status] = isClosed
    ? [4, 'Resolved']
    : finding.waived
      ? [3, 'Suppressed']
      : finding.silenced
        ? [2, 'In Progress']
        : [1, 'New']
  return {
    ...common(model, 2004, isClosed ? 3 : isNew ? 1 : 2),
    class_name: 'Detection Finding',
    severity_id: SEVERITY_IDS[finding.severity],
    severity: { info: 'Informational', warning: 'Medium', critical: 'Critical' }[finding.severity],
    status_id: statusId,
    status,
    message: titleOf(finding),
    finding_info: {
      uid: `${finding.job}/${finding.fingerprint}`,
      title: titleOf(finding),
      types: [`${finding.plugin}/${finding.rule}`],
      analytic: { name: `${finding.plugin}/${finding.rule}`, type_id: 1, type: 'Rule' },
      created_time: finding.openedAt,
      first_seen_time: finding.openedAt,
      last_seen_time: finding.lastSeenAt,
    },
    resources: [{ name: finding.subject, type: finding.subject.startsWith('/') ? 'File' : 'Other' }],
    ...(finding.remedy && { remediation: { desc: finding.remedy } }),
    ...(finding.waived && { comment: `${finding.waived.owner}: ${finding.waived.reason}` }),
    unmapped: { evidence: finding.evidence },
  }
}

function compliance(item: AuditedItem, checklist: string, profile: string, model: ReportModel): object {
  const [statusId, status] = COMPLIANCE_STATUS[item.verdict]
  return {
    ...common(model, 2003, 2),
    class_name: 'Compliance Finding',
    severity_id: item.verdict === 'fail' || item.verdict === 'blind' ? 3 : 1,
    severity: item.verdict === 'fail' || item.verdict === 'blind' ? 'Medium' : 'Informational',
    status_id: 1,
    message: item.title,
    finding_info: { uid: `${checklist}/${item.id}`, title: item.title, types: [profile] },
    compliance: {
      control: item.id,
      standards: [profile, ...item.references],
      status_id: statusId,
      status,
      status_details: item.reasons,
    },
  }
}
