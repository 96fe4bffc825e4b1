/** @jsxImportSource hono/jsx */
import { Findings } from './findings.tsx'
import { Alerts, Audit, Runs } from './history.tsx'
import { Jobs } from './jobs.tsx'
import type { Details as Model } from './model.ts'
import { Proofs } from './proofs.tsx'

/** What one sees after signing in. */
export function Details({ details, now }: { details: Model; now: number }) {
  return (
    <>
      <nav class="contents" aria-label="On this page">
        <a href="#jobs">Jobs</a>
        <a href="#findings">Findings</a>
        <a href="#proofs">Proofs</a>
        <a href="#runs">Runs</a>
        <a href="#alerts">Alerts</a>
        {details.mayAudit && <a href="#audit">Who did what</a>}
      </nav>
      <Jobs jobs={details.jobs} mayRun={details.mayRun} now={now} />
      <Findings findings={details.findings} more={details.moreFindings} now={now} />
      <Proofs facts={details.facts} more={details.moreFacts} artifacts={details.artifacts} now={now} />
      <Runs runs={details.runs} now={now} />
      <Alerts channels={details.channels} now={now} />
      {details.mayAudit && <Audit entries={details.audit} now={now} />}
    </>
  )
}
