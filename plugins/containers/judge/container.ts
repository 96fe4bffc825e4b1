import { type Blind, type Finding, shellWord } from '../../../agent/contract/mod.ts'
import { HARDENING, type HardeningRule } from '../config.ts'
import type { Aspect, ContainerSettings } from '../settings.ts'
import type { Fault, Policy } from './fault.ts'
import { IMAGE } from './image.ts'
import { LIMITS } from './limits.ts'
import { PRIVILEGES } from './privileges.ts'
import { REACH } from './reach.ts'

const JUDGEMENTS = [...PRIVILEGES, ...LIMITS, ...REACH, ...IMAGE]
const isHardening = (rule: string): rule is HardeningRule => HARDENING.some((one) => one === rule)

/** Pure: what is wrong with a container, and what of it cannot be told. */
export function judgeContainer(
  settings: ContainerSettings,
  policy: Policy,
): { findings: Finding[]; blind: Blind[] } {
  const findings: Finding[] = []
  const unseen = new Map<string, string[]>()
  for (const { rule, aspects, ofAbsence, judge } of JUDGEMENTS) {
    if (isHardening(rule) && !policy.hardening.includes(rule)) continue
    if (ofAbsence && settings.isPartial) continue
    const why = aspects.map((aspect) => settings.unknown.get(aspect)).find((reason) => reason !== undefined)
    if (why !== undefined) unseen.set(why, [...(unseen.get(why) ?? []), rule])
    else findings.push(...judge(settings, policy).map((fault) => findingOf(rule, fault, settings, aspects)))
  }
  return {
    findings,
    blind: [...unseen].map(([reason, rules]) => ({ subject: settings.subject, reason, rules })),
  }
}

function findingOf(rule: string, fault: Fault, settings: ContainerSettings, [aspect]: Aspect[]): Finding {
  const place = fault.at ?? (settings.origin.kind === 'file' && aspect ? settings.origin.place(aspect) : {})
  return {
    rule,
    subject: fault.part === undefined ? settings.subject : `${settings.subject}:${fault.part}`,
    severity: fault.severity,
    summary: `${settings.subject} ${fault.says}`,
    remedy: remedyFor(fault, settings),
    evidence: { ...fault.evidence, ...place },
  }
}

function remedyFor({ flag, key, live }: Fault, { origin, name }: ContainerSettings): string {
  if (origin.kind === 'file') return `In the service: ${key}`
  const { program, compose } = origin
  if (compose) {
    const again = `${program} compose -f ${shellWord(compose.file)} up -d ${shellWord(compose.service)}`
    return `In ${compose.file}, service ${compose.service}: ${key}\n${again}`
  }
  const now = live ? `${program} ${live} ${shellWord(name)}\n` : ''
  return `${now}${now ? 'And for the next one made of it' : 'Make it anew'}: ${program} run … ${flag}`
}
