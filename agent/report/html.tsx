/** @jsxImportSource hono/jsx */
import { html as document, raw } from 'hono/html'
import type { AuditedItem } from '../engine/audit.ts'
import type { StoredFinding } from '../store/read-findings.ts'
import { counts, day, type Format, isUnseen, open, type ReportModel, titleOf } from './model.ts'
import style from './report.css' with { type: 'text' }

/** One page that needs nothing beside itself: no script, no font, no picture; made to be printed. */
export const html: Format = {
  means: 'One self-contained page, made to be printed',
  render: (model) => document`<!doctype html>${<Page model={model} />}`.toString(),
}

function Page({ model }: { model: ReportModel }) {
  const total = counts(open(model))
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light" />
        <title>
          {model.host}: {model.state}
        </title>
        <style>{raw(style)}</style>
      </head>
      <body>
        <header>
          <p class="product">reeve {model.version}</p>
          <h1>
            {model.host} <span class={`mark ${toneOf(model.state)}`}>{model.state}</span>
          </h1>
          <p>
            As of {when(model.at)}. Open: {total.critical} critical, {total.warning} warnings, {total.info}{' '}
            notes; {total.waived} accepted.
          </p>
        </header>
        <Unseen model={model} />
        {model.audits.map((audit) => (
          <section>
            <h2>
              {audit.title}
              <span class="score">
                {audit.score.passed} of {audit.score.total}
              </span>
            </h2>
            <table>
              <thead>
                <tr>
                  <th scope="col">Verdict</th>
                  <th scope="col">Item</th>
                  <th scope="col">What is asked for</th>
                </tr>
              </thead>
              <tbody>
                {audit.items.map((item) => (
                  <Item item={item} />
                ))}
              </tbody>
            </table>
          </section>
        ))}
        <section>
          <h2>Findings</h2>
          {open(model).length === 0 ? (
            <p>None.</p>
          ) : (
            open(model).map((finding) => <Finding finding={finding} />)
          )}
        </section>
        <Resolved model={model} />
        <Jobs model={model} />
      </body>
    </html>
  )
}

function Unseen({ model }: { model: ReportModel }) {
  const dark = model.jobs.filter(isUnseen)
  if (dark.length === 0) return null
  return (
    <section>
      <h2>Not seen, or not in full</h2>
      <ul>
        {dark.map(({ name, state, reason }) => (
          <li>
            <strong>{name}</strong> is {state}
            {reason && `: ${reason}`}
          </li>
        ))}
      </ul>
    </section>
  )
}

function Item({ item }: { item: AuditedItem }) {
  const against = item.findings.filter(({ waived }) => !waived)
  const why = item.verdict === 'fail' ? against.slice(0, 5).map(titleOf) : item.reasons
  return (
    <tr>
      <td>
        <span class={`mark ${toneOf(item.verdict)}`}>{item.verdict}</span>
      </td>
      <td>{item.id}</td>
      <td>
        {item.title}
        {why.length > 0 && (
          <ul>
            {why.map((line) => (
              <li>{line}</li>
            ))}
            {item.verdict === 'fail' && against.length > 5 && <li>and {against.length - 5} more</li>}
          </ul>
        )}
      </td>
    </tr>
  )
}

function Finding({ finding }: { finding: StoredFinding }) {
  const word = finding.waived ? 'accepted' : finding.severity
  return (
    <article>
      <h3>
        <span class={`mark ${toneOf(word)}`}>{word}</span> {titleOf(finding)}
      </h3>
      <p class="origin">
        {finding.job} · {finding.rule} · since {when(finding.openedAt)}
        {finding.regressions > 0 && ` · came back ${finding.regressions} times`}
        {finding.references.length > 0 && ` · ${finding.references.join(', ')}`}
      </p>
      {finding.waived ? (
        <p>
          Accepted until {finding.waived.expires} by {finding.waived.owner}: {finding.waived.reason}
        </p>
      ) : (
        finding.remedy && <pre>{finding.remedy}</pre>
      )}
    </article>
  )
}

function Resolved({ model }: { model: ReportModel }) {
  const resolved = model.findings.filter(({ state }) => state === 'resolved')
  if (resolved.length === 0) return null
  return (
    <section>
      <h2>Resolved since {when(model.since)}</h2>
      <ul>
        {resolved.map((finding) => (
          <li>{titleOf(finding)}</li>
        ))}
      </ul>
    </section>
  )
}

function Jobs({ model }: { model: ReportModel }) {
  return (
    <section>
      <h2>Jobs</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Job</th>
            <th scope="col">Plugin</th>
            <th scope="col">Last run</th>
          </tr>
        </thead>
        <tbody>
          {model.jobs.map(({ name, plugin, state, lastRun }) => (
            <tr>
              <td>
                <span class={`mark ${toneOf(state)}`}>{state}</span>
              </td>
              <td>{name}</td>
              <td>{plugin}</td>
              <td>{lastRun ? when(lastRun.startedAt) : 'never'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

const TONES: Record<string, string> = {
  ok: 'good',
  pass: 'good',
  attested: 'good',
  warning: 'attention',
  waived: 'attention',
  accepted: 'quiet',
  info: 'quiet',
  'not-applicable': 'quiet',
  disabled: 'quiet',
  pending: 'quiet',
  blind: 'unknown',
  late: 'unknown',
}

function toneOf(word: string): string {
  return TONES[word] ?? 'bad'
}

function when(milliseconds: number): string {
  return `${day(milliseconds).slice(0, 16).replace('T', ' ')} UTC`
}
