/** @jsxImportSource hono/jsx */
import { JOB_STATES } from '../../store/status.ts'
import type { StatusSummary } from '../status.ts'
import { JOB_WORDS } from '../words.ts'
import type { PageModel } from './model.ts'
import { Badge, plural, Shape, Time, toneOf } from './parts.tsx'

/** How the host is, in words and counts: what anyone on this machine may see. */
export function Summary({ model, summary }: { model: PageModel; summary: StatusSummary }) {
  const { now, notReady } = model
  const tone = summary.ready ? toneOf(summary.state) : 'unknown'
  return (
    <>
      <section class={`verdict tone-${tone}`} aria-labelledby="verdict">
        <Shape tone={tone} />
        <div>
          <h1 id="verdict">{summary.headline}</h1>
          <p>{summary.summary}</p>
          <p class="since">
            {summary.goodSince === null ? (
              'Not every job has had a complete look yet.'
            ) : (
              <>
                Every job has had a complete look; the oldest was <Time at={summary.goodSince} now={now} />.
              </>
            )}
          </p>
        </div>
      </section>
      {!summary.ready && (
        <p class="notice" role="alert">
          reeve itself is not ready: {notReady.join('; ')}
        </p>
      )}
      <Counts summary={summary} now={now} />
    </>
  )
}

function Counts({ summary }: { summary: StatusSummary; now: number }) {
  const { jobs, openFindings, alerts, sandbox } = summary
  const total = Object.values(jobs).reduce((sum, count) => sum + count, 0)
  const findings = openFindings.critical + openFindings.warning + openFindings.info
  const undelivered = alerts.pending + alerts.dead
  return (
    <dl class="counts">
      <div>
        <dt>Jobs</dt>
        <dd class="number">{total}</dd>
        {JOB_STATES.filter((state) => jobs[state] > 0).map((state) => (
          <dd>
            <Badge tone={toneOf(state)} words={`${jobs[state]} ${JOB_WORDS[state]}`} />
          </dd>
        ))}
      </div>
      <div>
        <dt>Open findings</dt>
        <dd class="number">{findings}</dd>
        {openFindings.critical > 0 && (
          <dd>
            <Badge tone="bad" words={`${openFindings.critical} critical`} />
          </dd>
        )}
        {openFindings.warning > 0 && (
          <dd>
            <Badge tone="attention" words={plural(openFindings.warning, 'warning')} />
          </dd>
        )}
        {openFindings.info > 0 && (
          <dd>
            <Badge tone="quiet" words={`${openFindings.info} for information`} />
          </dd>
        )}
      </div>
      <div>
        <dt>Alerts not delivered</dt>
        <dd class="number">{undelivered}</dd>
        {alerts.pending > 0 && (
          <dd>
            <Badge tone="attention" words={`${alerts.pending} waiting`} />
          </dd>
        )}
        {alerts.dead > 0 && (
          <dd>
            <Badge tone="bad" words={`${alerts.dead} given up`} />
          </dd>
        )}
      </div>
      <div>
        <dt>Jobs kept to their permissions</dt>
        <dd class="number">{sandbox.confined}</dd>
        {sandbox.unconfined > 0 && (
          <dd>
            <Badge tone="attention" words={`${sandbox.unconfined} not confined`} />
          </dd>
        )}
        {sandbox.unknown > 0 && (
          <dd>
            <Badge tone="unknown" words={`${sandbox.unknown} not known yet`} />
          </dd>
        )}
      </div>
    </dl>
  )
}

export function SignIn({ stranger }: { stranger: boolean }) {
  return (
    <section class="sign-in" aria-labelledby="sign-in">
      <h2 id="sign-in">{stranger ? 'Sign in to see how this host is' : 'Sign in for details'}</h2>
      <form method="post" action="/sign-in">
        <label for="token">Token</label>
        <div class="row">
          <input hidden type="text" name="username" value="reeve" autocomplete="username" />
          <input
            id="token"
            name="token"
            type="password"
            required
            maxlength={200}
            autocomplete="current-password"
            spellcheck={false}
            placeholder="reeve_…"
          />
          <button type="submit">Sign in</button>
        </div>
        <p class="hint">
          Make one on the host with <code>reeve token new my-browser --scope read</code>; scope{' '}
          <code>operate</code> also lets you run jobs.
        </p>
      </form>
    </section>
  )
}
