/** @jsxImportSource hono/jsx */
import { formatDuration } from '../../lib/duration.ts'
import type { listAudit } from '../../store/audit.ts'
import type { Run } from '../../store/read-runs.ts'
import type { Outcome } from '../../store/schema.ts'
import type { Channel } from './model.ts'
import { Badge, Literal, plural, Time } from './parts.tsx'

const TONES = {
  clean: 'good',
  findings: 'attention',
  blind: 'unknown',
  failed: 'bad',
  timeout: 'bad',
  interrupted: 'bad',
  missed: 'unknown',
  skipped: 'quiet',
} as const satisfies Record<Outcome, string>

/** A row that says "interrupted" without an end may be going on, or have died with reeve: `running` tells. */
export function Runs({ runs, now }: { runs: Run[]; now: number }) {
  return (
    <section aria-labelledby="runs">
      <h2 id="runs">Last runs</h2>
      {runs.length === 0 ? (
        <p class="empty">No job has run yet.</p>
      ) : (
        <table class="stack">
          <thead>
            <tr>
              <th scope="col">Outcome</th>
              <th scope="col">Job</th>
              <th scope="col">Began</th>
              <th scope="col">Took</th>
              <th scope="col">Examined</th>
              <th scope="col">Found</th>
              <th scope="col">Asked for by</th>
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <RunRow run={run} now={now} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function RunRow({ run, now }: { run: Run; now: number }) {
  const isOpen = run.finishedAt === null && run.outcome === 'interrupted'
  return (
    <tr>
      <td>
        <Badge tone={isOpen ? 'quiet' : TONES[run.outcome]} words={isOpen ? 'not ended' : run.outcome} />
      </td>
      <th scope="row">
        <span class="name">{run.job}</span> <span class="none">#{run.id}</span>
        {run.reason && <span class="why">{run.reason}</span>}
      </th>
      <td data-label="Began">
        <Time at={run.startedAt} now={now} />
      </td>
      <td data-label="Took">{run.durationMs === null ? '–' : formatDuration(run.durationMs)}</td>
      <td data-label="Examined">
        {run.examined}
        {run.blind.length > 0 && <span class="sub">{run.blind.length} blind</span>}
      </td>
      <td data-label="Found">{run.findingCount}</td>
      <td data-label="Asked for by">
        {run.trigger}
        {run.actor && <span class="sub">{run.actor}</span>}
      </td>
    </tr>
  )
}

export function Alerts({ channels, now }: { channels: Channel[]; now: number }) {
  return (
    <section aria-labelledby="alerts">
      <h2 id="alerts">Alerts</h2>
      {channels.length === 0 ? (
        <p class="empty">No alert has been sent or is waiting.</p>
      ) : (
        <table class="stack">
          <thead>
            <tr>
              <th scope="col">State</th>
              <th scope="col">Channel</th>
              <th scope="col">Delivered</th>
              <th scope="col">Waiting</th>
              <th scope="col">Given up</th>
            </tr>
          </thead>
          <tbody>
            {channels.map((channel) => (
              <tr>
                <td>
                  <ChannelBadge channel={channel} />
                </td>
                <th scope="row">
                  <span class="name">{channel.name}</span>
                  {channel.lastError && <span class="why">{channel.lastError}</span>}
                </th>
                <td data-label="Delivered">{channel.delivered}</td>
                <td data-label="Waiting">
                  {channel.pending}
                  {channel.pendingSince !== null && (
                    <span class="sub">
                      since <Time at={channel.pendingSince} now={now} />
                    </span>
                  )}
                </td>
                <td data-label="Given up">{channel.dead}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function ChannelBadge({ channel }: { channel: Channel }) {
  if (channel.dead > 0) return <Badge tone="bad" words={plural(channel.dead, 'alert lost', 'alerts lost')} />
  if (channel.pending > 0) return <Badge tone="attention" words="waiting" />
  return <Badge tone="good" words="all delivered" />
}

export function Audit({ entries, now }: { entries: ReturnType<typeof listAudit>; now: number }) {
  return (
    <section aria-labelledby="audit">
      <h2 id="audit">Who did what</h2>
      {entries.length === 0 ? (
        <p class="empty">Nothing has been recorded yet.</p>
      ) : (
        <table class="stack">
          <thead>
            <tr>
              <th scope="col">Result</th>
              <th scope="col">Who</th>
              <th scope="col">What</th>
              <th scope="col">When</th>
            </tr>
          </thead>
          <tbody>
            {entries.map((entry) => (
              <tr>
                <td>
                  <Badge tone={entry.result === 'ok' ? 'good' : 'attention'} words={entry.result} />
                </td>
                <th scope="row">
                  <span class="name">{entry.actor}</span>
                  {entry.remote && <span class="sub">from {entry.remote}</span>}
                </th>
                <td data-label="What">
                  {entry.action} <Literal text={entry.object} />
                </td>
                <td data-label="When">
                  <Time at={entry.at} now={now} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}
