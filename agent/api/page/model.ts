import { listAudit } from '../../store/audit.ts'
import { listOutbox, outboxCounts } from '../../store/outbox.ts'
import { listUrgentFindings, type StoredFinding } from '../../store/read-findings.ts'
import { listArtifacts, listFacts, type StoredArtifact, type StoredFact } from '../../store/read-inventory.ts'
import { listRuns, type Run } from '../../store/read-runs.ts'
import { JOB_STATES } from '../../store/status.ts'
import { hasScope } from '../auth.ts'
import type { ApiDeps, Caller } from '../deps.ts'
import { type DescribedJob, describeJobs } from '../jobs.ts'
import { type StatusSummary, statusSummary } from '../status.ts'

const FINDINGS_SHOWN = 100
const FACTS_READ = 500
const ARTIFACTS_SHOWN = 10
const RUNS_SHOWN = 15
const AUDIT_SHOWN = 10

export interface Viewer {
  /** Undefined: not signed in. */
  caller: Caller | undefined
  /** Somebody on this machine: may see the summary without signing in. */
  isLocal: boolean
  canSignOut: boolean
  /** What went wrong with the form that was sent. */
  problem: string | undefined
  reloadSeconds: number | undefined
}

export interface Channel {
  name: string
  pending: number
  dead: number
  delivered: number
  pendingSince: number | null
  lastError: string | null
}

export interface Details {
  jobs: DescribedJob[]
  findings: StoredFinding[]
  /** There are more open findings than `findings` has. */
  moreFindings: boolean
  /** Facts by kind. */
  facts: Map<string, StoredFact[]>
  moreFacts: boolean
  artifacts: StoredArtifact[]
  runs: Run[]
  channels: Channel[]
  audit: ReturnType<typeof listAudit>
  mayRun: boolean
  mayAudit: boolean
}

export interface PageModel {
  hostname: string
  version: string
  now: number
  startedAt: number
  viewer: Viewer
  notReady: string[]
  /** Undefined for a stranger. */
  summary: StatusSummary | undefined
  /** Undefined for who is not signed in. */
  details: Details | undefined
}

/** Everything that the page shows to this viewer, and nothing more. */
export function loadPage(deps: ApiDeps, viewer: Viewer): PageModel {
  const jobs = viewer.caller || viewer.isLocal ? describeJobs(deps) : undefined
  return {
    hostname: deps.hostname,
    version: deps.version,
    now: deps.now(),
    startedAt: deps.startedAt,
    viewer,
    notReady: deps.readiness().reasons,
    summary: jobs && statusSummary(deps, jobs),
    details: jobs && viewer.caller && loadDetails(deps, viewer.caller, jobs),
  }
}

function loadDetails(deps: ApiDeps, caller: Caller, jobs: DescribedJob[]): Details {
  const { store } = deps
  const findings = listUrgentFindings(store, { limit: FINDINGS_SHOWN + 1 })
  const facts = listFacts(store, { limit: FACTS_READ + 1 })
  const mayAudit = hasScope(caller, 'admin')
  return {
    jobs: jobs.toSorted((a, b) => JOB_STATES.indexOf(a.state) - JOB_STATES.indexOf(b.state)),
    findings: findings.slice(0, FINDINGS_SHOWN),
    moreFindings: findings.length > FINDINGS_SHOWN,
    facts: groupFacts(facts.slice(0, FACTS_READ)),
    moreFacts: facts.length > FACTS_READ,
    artifacts: listArtifacts(store, { limit: ARTIFACTS_SHOWN }),
    runs: listRuns(store, { limit: RUNS_SHOWN }),
    channels: loadChannels(deps),
    audit: mayAudit ? listAudit(store, AUDIT_SHOWN) : [],
    mayRun: hasScope(caller, 'operate'),
    mayAudit,
  }
}

/** Facts by kind, both in alphabetical order, so that they stand in the same place each time. */
function groupFacts(facts: StoredFact[]): Map<string, StoredFact[]> {
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  const sorted = facts.toSorted((a, b) => compare(a.kind, b.kind) || compare(a.subject, b.subject))
  return Map.groupBy(sorted, (fact) => fact.kind)
}

function loadChannels({ store }: ApiDeps): Channel[] {
  return outboxCounts(store).map((counts) => {
    const state = counts.dead > 0 ? 'dead' : 'pending'
    const [newest] = listOutbox(store, { channel: counts.channel, state, limit: 1 })
    return { ...counts, name: counts.channel, lastError: newest?.lastError ?? null }
  })
}
