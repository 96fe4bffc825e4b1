/** @jsxImportSource hono/jsx */
import type { Severity } from '../../contract/report.ts'
import type { StoredFinding } from '../../store/read-findings.ts'
import { Badge, Datum, inWords, Literal, plural, Time, Verbatim } from './parts.tsx'

const TONES = { critical: 'bad', warning: 'attention', info: 'quiet' } as const satisfies Record<
  Severity,
  string
>
const WORDS: Record<Severity, string> = { critical: 'critical', warning: 'warning', info: 'for information' }

/** Open findings with what to do, the gravest first. */
export function Findings({ findings, more, now }: { findings: StoredFinding[]; more: boolean; now: number }) {
  return (
    <section aria-labelledby="findings">
      <h2 id="findings">Open findings</h2>
      {findings.length === 0 ? (
        <p class="empty">No finding is open.</p>
      ) : (
        <ul class="findings">
          {findings.map((finding) => (
            <FindingItem finding={finding} now={now} />
          ))}
        </ul>
      )}
      {more && (
        <p class="hint">
          There are more than these; <code>reeve findings</code> lists all.
        </p>
      )}
    </section>
  )
}

function FindingItem({ finding, now }: { finding: StoredFinding; now: number }) {
  const evidence = Object.entries(finding.evidence)
  return (
    <li class={finding.waived ? 'finding tone-quiet' : `finding tone-${TONES[finding.severity]}`}>
      <h3>
        <Badge
          tone={finding.waived ? 'quiet' : TONES[finding.severity]}
          words={finding.waived ? `${WORDS[finding.severity]}, accepted` : WORDS[finding.severity]}
        />{' '}
        {finding.summary}
      </h3>
      <p class="meta">
        <Literal text={finding.subject} /> · {finding.rule} · job {finding.job} · since{' '}
        <Time at={finding.openedAt} now={now} />
        {finding.regressions > 0 && ` · came back ${plural(finding.regressions, 'time')}`}
        {finding.fixable && ' · reeve can put it right'}
      </p>
      {finding.waived && (
        <p class="meta">
          Accepted until {finding.waived.expires} by {finding.waived.owner}: {finding.waived.reason}
        </p>
      )}
      {finding.remedy !== null && (
        <div class="remedy">
          <span>What to do</span>
          <Verbatim text={finding.remedy} />
        </div>
      )}
      {(evidence.length > 0 || finding.references.length > 0) && (
        <details>
          <summary>Evidence</summary>
          <dl class="evidence">
            {evidence.map(([name, value]) => (
              <div>
                <dt>{inWords(name)}</dt>
                <dd>
                  <Datum name={name} value={value} now={now} />
                </dd>
              </div>
            ))}
            {finding.references.length > 0 && (
              <div>
                <dt>References</dt>
                <dd>{finding.references.join(', ')}</dd>
              </div>
            )}
          </dl>
        </details>
      )}
    </li>
  )
}
