import { counts, day, type Format, isUnseen, open, type ReportModel, titleOf } from './model.ts'

/** For tickets and wikis; what comes from the host is escaped. */
export const markdown: Format = { means: 'For a ticket or a wiki', render }

function render(model: ReportModel): string {
  const total = counts(open(model))
  return `${[
    `# ${escapeMarkdown(model.host)}: ${model.state}`,
    '',
    `reeve ${model.version}, ${day(model.at)}. Open: ${total.critical} critical, ${total.warning} warnings, ` +
      `${total.info} notes, ${total.waived} accepted.`,
    ...unseen(model),
    ...model.audits.flatMap(checklist),
    ...findings(model),
    ...jobs(model),
  ].join('\n')}\n`
}

function unseen({ jobs }: ReportModel): string[] {
  const dark = jobs.filter(isUnseen)
  if (dark.length === 0) return []
  const lines = dark.map(
    ({ name, state, reason }) =>
      `- **${escapeMarkdown(name)}** is ${state}${reason ? `: ${escapeMarkdown(reason)}` : ''}`,
  )
  return ['', '## Not seen, or not in full', '', ...lines]
}

function checklist({ title, score, items }: ReportModel['audits'][number]): string[] {
  const rows = items.map(({ id, title: item, verdict, findings: against, reasons }) => {
    const why = verdict === 'fail' ? against.filter(({ waived }) => !waived).map(titleOf) : reasons
    return `| ${escapeMarkdown(id)} | ${escapeMarkdown(item)} | ${verdict} | ${why.slice(0, 3).map(escapeMarkdown).join('; ')} |`
  })
  return [
    '',
    `## ${escapeMarkdown(title)}: ${score.passed} of ${score.total}`,
    '',
    '| Item | What is asked for | Verdict | Why |',
    '| --- | --- | --- | --- |',
    ...rows,
  ]
}

function findings(model: ReportModel): string[] {
  const rows = open(model)
  if (rows.length === 0) return ['', '## Findings', '', 'None.']
  const lines = rows.flatMap((finding) => [
    `- **${finding.waived ? 'accepted' : finding.severity}** ${escapeMarkdown(titleOf(finding))} ` +
      `(${escapeMarkdown(finding.job)}, ${finding.rule}, since ${day(finding.openedAt)})`,
    ...(finding.remedy && !finding.waived ? ['', ...fence(finding.remedy), ''] : []),
  ])
  return ['', '## Findings', '', ...lines]
}

function jobs({ jobs: all }: ReportModel): string[] {
  const rows = all.map(
    ({ name, plugin, state, lastRun }) =>
      `| ${escapeMarkdown(name)} | ${escapeMarkdown(plugin)} | ${state} | ${lastRun ? day(lastRun.startedAt) : 'never'} |`,
  )
  return ['', '## Jobs', '', '| Job | Plugin | State | Last run |', '| --- | --- | --- | --- |', ...rows]
}

/** Longer than any run of backticks in it: nothing inside can end it. */
function fence(text: string): string[] {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const mark = '`'.repeat(longest + 1)
  return [`  ${mark}sh`, ...text.split('\n').map((line) => `  ${line}`), `  ${mark}`]
}

function escapeMarkdown(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/[\\`*_{}[\]()#+!|~]/g, '\\$&')
    .replace(/\p{Cc}/gu, ' ')
}
