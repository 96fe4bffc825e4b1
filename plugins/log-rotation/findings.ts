import { type Finding, formatBytes, type HostReader } from '../../agent/contract/mod.ts'
import type { Config, LogSet } from './config.ts'
import { generationPath } from './generation.ts'
import type { LogPlan } from './plan.ts'
import { familiesOf, type QuotaPlan } from './plans.ts'
import { Pressure, pressureFinding } from './pressure.ts'
import { type AdoptedFamily, removable } from './removal.ts'
import type { State } from './state.ts'
import type { Survey, SurveyedLog } from './survey.ts'

/** What is wrong with the configuration's view of the host. */
export function surveyFindings(found: Survey): Finding[] {
  const missing = found.missing.map(
    ({ set, pattern }): Finding => ({
      rule: 'log-missing',
      subject: pattern,
      severity: 'warning',
      summary: `No log matches ${pattern}, which the set ${set} is to rotate`,
      remedy: `Correct the path, or set "missingOk: true" for the set ${set}`,
      evidence: { set },
    }),
  )
  const shared = found.shared.map(
    ({ path, set, other }): Finding => ({
      rule: 'log-in-two-sets',
      subject: path,
      severity: 'warning',
      summary: `${path} is matched by the sets ${set} and ${other}; ${set} rotates it`,
      remedy: `Leave it out of one of the two sets`,
      evidence: { set, other },
    }),
  )
  return [...missing, ...shared]
}

const REFUSAL_REMEDIES = {
  'log-unsafe':
    'Give the directory to one user and take write permission from others (chmod go-w), replace links by the ' +
    'files they point at, or leave the log out',
  'name-collision': 'Move away what is in the way',
}

/** What the plan of one log says to the operator. */
export function planFindings(plan: LogPlan): Finding[] {
  const { log } = plan
  const evidence = { set: log.set.name, bytes: log.stat?.size ?? null }
  if (plan.refusal) {
    const { rule, reason } = plan.refusal
    return [
      {
        rule,
        subject: log.path,
        severity: 'warning',
        summary: `${log.path} is not rotated: ${reason}`,
        remedy: REFUSAL_REMEDIES[rule],
        evidence: { ...evidence, reason },
      },
    ]
  }
  if (plan.unfinished) {
    return [
      {
        rule: 'rotation-unfinished',
        subject: log.path,
        severity: 'warning',
        summary: `The rotation of ${log.path} was cut off: ${plan.unfinished}`,
        remedy: 'Let the job run in enforce mode: it completes the rotation or undoes it',
        evidence,
        fixable: true,
      },
    ]
  }
  const findings: Finding[] = []
  if (plan.due) {
    findings.push({
      rule: 'rotation-due',
      subject: log.path,
      severity: 'info',
      summary: `${log.path} is to be rotated: ${plan.due}`,
      evidence: { ...evidence, reason: plan.due },
      fixable: true,
    })
  }
  for (const { path, stat } of plan.compress) {
    findings.push({
      rule: 'compression-due',
      subject: path,
      severity: 'info',
      summary: `${path} is to be compressed (${log.set.compress})`,
      evidence: { set: log.set.name, bytes: stat.size },
      fixable: true,
    })
  }
  for (const { generation, reason } of plan.expired) {
    findings.push({
      rule: 'retention-exceeded',
      subject: generation.path,
      severity: 'info',
      summary:
        reason === 'keep'
          ? `${generation.path} is to be removed: ${log.set.keep} newer generations are kept`
          : `${generation.path} is to be removed: it is older than maxAge`,
      evidence: { set: log.set.name, bytes: generation.stat.size },
      fixable: true,
    })
  }
  if (plan.held) findings.push(heldFinding(log, generationPath(log.path, 1)))
  return findings
}

/** A writer still has a generation open: its next lines would be lost if that were compressed and removed. */
export function heldFinding({ path, set }: SurveyedLog, generation: string): Finding {
  return {
    rule: 'writer-not-reopened',
    subject: path,
    severity: 'warning',
    summary: `${generation} is still open for writing: a writer has not reopened ${path}`,
    remedy: set.afterRotate
      ? `See whether "${set.afterRotate.join(' ')}" makes the writer reopen its log; fuser -v ${generation} shows who writes`
      : `Set afterRotate for the set ${set.name}, such as [/usr/bin/systemctl, kill, -s, HUP, NAME.service]; ` +
        `fuser -v ${generation} shows who writes`,
    evidence: { set: set.name, generation },
    fixable: true,
  }
}

/** Sets whose program has failed after the last rotation. */
export function settleFindings(sets: LogSet[], state: State): Finding[] {
  return sets.flatMap((set): Finding[] => {
    const failed = Object.entries(state.pending).filter(
      ([, pending]) => pending.set === set.name && pending.failure !== null,
    )
    const [first] = failed
    if (!first) return []
    return [
      {
        rule: 'after-rotate-failed',
        subject: set.name,
        severity: 'warning',
        summary: `After a rotation of the set ${set.name} its program failed: ${first[1].failure}`.slice(
          0,
          2000,
        ),
        remedy:
          `Correct afterRotate of the set ${set.name}. Until it succeeds, its ${failed.length} rotated logs stay ` +
          'uncompressed and are not rotated again; every run tries it once more',
        evidence: { command: (set.afterRotate ?? []).join(' ').slice(0, 1000), logs: failed.length },
        fixable: true,
      },
    ]
  })
}

/** Sets that have become larger than their quota. */
export function quotaFindings(quotas: QuotaPlan[]): Finding[] {
  return quotas.flatMap(({ set, limitBytes, removals, leftBytes }): Finding[] => {
    const limit = formatBytes(limitBytes)
    const surplus = removals.map(
      ({ file }): Finding => ({
        rule: 'retention-exceeded',
        subject: file.path,
        severity: 'info',
        summary: `${file.path} is to be removed: the set ${set.name} may have ${limit}, and this is its oldest`,
        evidence: { set: set.name, bytes: file.size },
        fixable: true,
      }),
    )
    if (leftBytes <= limitBytes) return surplus
    return [
      ...surplus,
      {
        rule: 'quota-exceeded',
        subject: set.name,
        severity: 'warning',
        summary: `The set ${set.name} has ${formatBytes(leftBytes)} without what may go; its limit is ${limit}`,
        remedy: `Raise maxTotalSize of the set ${set.name}, or rotate its logs at a smaller size`,
        evidence: { set: set.name, bytes: leftBytes, limitBytes },
      },
    ]
  })
}

/** File systems that are short of room, each once. */
export function pressureFindings(
  host: HostReader,
  plans: LogPlan[],
  adopted: AdoptedFamily[],
  config: Config,
  now: number,
): Finding[] {
  const pressure = new Pressure(host)
  const mountOf = (directory: string) => pressure.mountOf(directory) ?? directory
  const pressedPlans = plans.filter((plan) => plan.pressure !== undefined)
  const pressedOthers = adopted.filter(({ directory }) => pressure.on(directory, config.whenFreeBelow))
  const mounts = new Set([
    ...pressedPlans.map(({ log }) => mountOf(log.directory)),
    ...pressedOthers.map(({ directory }) => mountOf(directory)),
  ])
  return [...mounts].map((mount) => {
    const own = pressedPlans.filter(({ log }) => mountOf(log.directory) === mount)
    const others = pressedOthers.filter(({ directory }) => mountOf(directory) === mount)
    const reason = own[0]?.pressure ?? pressure.on(others[0]?.directory ?? mount, config.whenFreeBelow) ?? ''
    const families = [...familiesOf(own, config), ...others.map(({ family }) => family)]
    const canRelieve =
      removable(families, now).length > 0 ||
      own.some(({ due, compress, expired }) => due || compress.length > 0 || expired.length > 0)
    return pressureFinding(mount, reason, canRelieve)
  })
}

/** A writer was so busy that the instant between copy and truncation may have cost some of its lines. */
export function lossFinding({ path, set }: SurveyedLog, bytes: number): Finding {
  return {
    rule: 'lines-may-be-lost',
    subject: path,
    severity: 'info',
    summary: `About ${bytes} bytes of what was written to ${path} while it was truncated may be lost`,
    remedy: `Let its writer reopen its log after a rotation: "method: create" and "afterRotate" for the set ${set.name}`,
    evidence: { set: set.name, bytes },
  }
}
