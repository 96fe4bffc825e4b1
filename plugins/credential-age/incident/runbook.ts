import type { Finding } from '../../../agent/contract/mod.ts'
import { rules } from '../rules.ts'
import type { Incident } from './incident.ts'

/** What a look at the host, or the ledger of the last one, says of a compromised credential. */
export interface Evidence {
  /** Places in which the compromised value still is. */
  placesWithOld: string[]
  /** Keyed fingerprint of what its place holds now; undefined when it holds nothing. */
  now: string | undefined
  /** Every unit that uses it was started after it was changed; undefined when no unit is known. */
  restarted: boolean | undefined
}

export interface Step {
  id: string
  /** What to do. */
  means: string
  /** Proven by what is seen, not by a word. */
  proof?: (incident: Incident, evidence: Evidence) => boolean
}

const isReplaced = ({ fingerprint }: Incident, { now, placesWithOld }: Evidence) =>
  now !== undefined && now !== fingerprint && placesWithOld.length === 0

/** rostr's guide, "If registration token is compromised". */
const TOKEN_STEPS: Step[] = [
  {
    id: 'new',
    means: 'make a new one: openssl rand -hex 32',
    proof: ({ fingerprint }, { now }) => now !== undefined && now !== fingerprint,
  },
  { id: 'update', means: 'put it into every place of the old one', proof: isReplaced },
  { id: 'restart', means: 'restart the service', proof: (_, { restarted }) => restarted === true },
  { id: 'clients', means: 'give it to all clients' },
  { id: 'logs', means: 'review the logs for what was done with the old one' },
]

/** The same guide, "If SSH key is compromised". */
const KEY_STEPS: Step[] = [
  {
    id: 'new',
    means: 'make a new pair: ssh-keygen -t ed25519',
    proof: ({ fingerprint }, { now }) => now !== fingerprint,
  },
  {
    id: 'revoke',
    means: 'remove the old public key from all servers',
    proof: (_, { placesWithOld }) => placesWithOld.length === 0,
  },
  { id: 'deploy', means: 'deploy the new public key' },
  { id: 'audit', means: 'audit for access that nobody meant' },
]

/** Steps whose proof is only about this host have to be ticked as well: there are other servers. */
const ALSO_TICKED = new Set(['revoke'])

export function stepsOf(kind: string): Step[] {
  return kind === 'ssh-key' ? KEY_STEPS : TOKEN_STEPS
}

export type State = 'proven' | 'ticked' | 'open'

/** How far a runbook is. A proof is looked for again at each look: a value that comes back opens its step anew. Pure. */
export function statesOf(incident: Incident, evidence: Evidence): { step: Step; state: State }[] {
  return stepsOf(incident.kind).map((step) => {
    const isTicked = incident.ticks[step.id] !== undefined
    const isProven = step.proof?.(incident, evidence) ?? false
    if (isProven && (isTicked || !ALSO_TICKED.has(step.id))) return { step, state: 'proven' }
    // What can be proven, and is not, is not believed; but for a service of which nothing is known.
    const mayTick = step.proof === undefined || (step.id === 'restart' && evidence.restarted === undefined)
    return { step, state: isTicked && mayTick ? 'ticked' : 'open' }
  })
}

/** An incident of which a step is open is a finding. Pure. */
export function judgeIncident(incident: Incident, evidence: Evidence): Finding[] {
  const states = statesOf(incident, evidence)
  const open = states.filter(({ state }) => state === 'open')
  if (open.length === 0) return []
  const { subject } = incident
  const next = open[0]?.step
  return [
    {
      rule: 'credential-compromised',
      subject,
      severity: rules['credential-compromised'].severity,
      summary: `${subject} is compromised, and ${open.length} of ${states.length} steps are open: ${open.map(({ step }) => step.id).join(', ')}`,
      remedy: `Next: ${next?.means}; see: reeve credentials compromised '${subject}'`,
      evidence: {
        openedAt: new Date(incident.openedAtMs).toISOString(),
        open: open.length,
        ...(evidence.placesWithOld.length > 0
          ? { stillIn: evidence.placesWithOld.join(' ').slice(0, 1000) }
          : {}),
      },
    },
  ]
}
