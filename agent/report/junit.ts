import { type Format, isUnseen, type ReportModel, titleOf } from './model.ts'

// The form that CI servers read: testsuites > testsuite > testcase with failure, error or skipped.

/** A suite for each checklist, and one in which each job is a case. */
export const junit: Format = { means: 'JUnit XML, for CI servers', render }

interface Case {
  name: string
  suite: string
  result: 'passed' | 'failure' | 'error' | 'skipped'
  message: string
  details: string
}

function render(model: ReportModel): string {
  const suites = [
    ...model.audits.map(({ name, items }): [string, Case[]] => [
      name,
      items.map(({ id, title, verdict, findings, reasons }) => {
        const against = findings.filter(({ waived }) => !waived).map(titleOf)
        const results = {
          fail: 'failure',
          blind: 'error',
          waived: 'skipped',
          'not-applicable': 'skipped',
        } as const
        const result = verdict === 'pass' || verdict === 'attested' ? 'passed' : results[verdict]
        const message =
          verdict === 'fail' ? `${against.length} findings` : `${verdict}: ${reasons.join('; ')}`
        return { suite: name, name: `${id} ${title}`, result, message, details: against.join('\n') }
      }),
    ]),
    ['jobs', jobCases(model)] as [string, Case[]],
  ]
  const body = suites.map(([name, cases]) => suite(name, cases, model)).join('')
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="reeve ${escapeXml(model.host)}">\n${body}</testsuites>\n`
}

function jobCases(model: ReportModel): Case[] {
  return model.jobs.map((job) => {
    const against = model.findings.filter(
      ({ job: name, state, waived }) => name === job.name && state === 'open' && !waived,
    )
    const details = against.map(titleOf).join('\n')
    const base = { suite: 'jobs', name: job.name, details }
    if (isUnseen(job)) return { ...base, result: 'error', message: `${job.state}: ${job.reason ?? ''}` }
    if (against.length === 0) return { ...base, result: 'passed', message: '' }
    return { ...base, result: 'failure', message: `${against.length} findings` }
  })
}

function suite(name: string, cases: Case[], { at, host }: ReportModel): string {
  const count = (result: Case['result']) => cases.filter((one) => one.result === result).length
  const head =
    `<testsuite name="${escapeXml(name)}" hostname="${escapeXml(host)}" timestamp="${new Date(at).toISOString().slice(0, 19)}" ` +
    `tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}" skipped="${count('skipped')}" time="0">`
  const body = cases.map((one) => {
    const open = `    <testcase classname="${escapeXml(one.suite)}" name="${escapeXml(one.name)}" time="0"`
    if (one.result === 'passed') return `${open}/>\n`
    const message = `message="${escapeXml(one.message)}"`
    return one.result === 'skipped'
      ? `${open}><skipped ${message}/></testcase>\n`
      : `${open}><${one.result} ${message}>${escapeXml(one.details)}</${one.result}></testcase>\n`
  })
  return `  ${head}\n${body.join('')}  </testsuite>\n`
}

/** XML 1.0 has no way to write most control characters. */
function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;')
}
