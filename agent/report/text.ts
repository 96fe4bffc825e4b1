import { counts, day, type Format, isUnseen, open, type ReportModel, titleOf } from './model.ts'

/** For mail and terminals: no colours, no control characters. */
export const text: Format = { means: 'For reading, as in a mail', render }

function render(model: ReportModel): string {
  const total = counts(open(model))
  const resolved = model.findings.filter(({ state }) => state === 'resolved')
  const lines = [
    `${model.host}: ${model.state}`,
    `reeve ${model.version}, ${day(model.at)}`,
    `Open findings: ${total.critical} critical, ${total.warning} warnings, ${total.info} notes, ${total.waived} accepted.`,
    ...section(
      'Not seen, or not in full',
      model.jobs
        .filter(isUnseen)
        .map(({ name, state, reason }) => `${name}: ${state}${reason ? `, ${reason}` : ''}`),
    ),
    ...model.audits.flatMap(({ title, score, items }) =>
      section(
        `${title}: ${score.passed} of ${score.total}`,
        items.map(({ id, title: item, verdict }) => `${verdict.padEnd(14)} ${id}  ${item}`),
      ),
    ),
    ...section(
      'Findings',
      open(model).flatMap((finding) => [
        `${(finding.waived ? 'accepted' : finding.severity).padEnd(8)} ${titleOf(finding)}`,
        `         ${finding.job}, ${finding.rule}, since ${day(finding.openedAt)}`,
        ...(finding.waived
          ? [`         ${finding.waived.owner}, until ${finding.waived.expires}: ${finding.waived.reason}`]
          : (finding.remedy?.split('\n') ?? []).map((line) => `         ${line}`)),
      ]),
    ),
    ...section(`Resolved since ${day(model.since)}`, resolved.map(titleOf)),
    ...section(
      'Jobs',
      model.jobs.map(
        ({ name, state, lastRun }) =>
          `${state.padEnd(8)} ${name}, last run ${lastRun ? day(lastRun.startedAt) : 'never'}`,
      ),
    ),
  ]
  return `${lines.map((line) => line.replace(/\p{Cc}/gu, ' ')).join('\n')}\n`
}

function section(title: string, lines: string[]): string[] {
  return lines.length === 0 ? [] : ['', title, '-'.repeat(Math.min(title.length, 72)), ...lines]
}
