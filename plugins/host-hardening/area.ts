import type { Blind, Fact, Finding, HostReader, Inapplicable, Metric } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'

/** What one area of the host came to. */
export interface AreaReport {
  findings: Finding[]
  blind?: Blind[]
  inapplicable?: Inapplicable[]
  facts?: Fact[]
  metrics?: Metric[]
  /** Things looked at. */
  examined: number
}

export interface Look {
  host: HostReader
  config: Config
  nowMs: number
  /** What this host is, when its kernel belongs to another one. */
  container: string | undefined
}

/** One thing to look at. What it throws makes its rules blind. */
export interface Area {
  /** What is said to be blind when it cannot be looked at. */
  subject: string
  rules: string[]
  check(look: Look): AreaReport | Promise<AreaReport>
}

/** An area that has nothing to judge. */
export function notHere(rules: readonly string[], reason: string): AreaReport {
  return { findings: [], inapplicable: rules.map((rule) => ({ rule, reason })), examined: 0 }
}
