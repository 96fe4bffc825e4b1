import type {
  Blind,
  CheckContext,
  Fact,
  Finding,
  Inapplicable,
  Json,
  Metric,
} from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import type { Installed } from './packages.ts'

/** What one area came to. */
export interface AreaReport {
  findings: Finding[]
  blind?: Blind[]
  inapplicable?: Inapplicable[]
  facts?: Fact[]
  metrics?: Metric[]
  memory?: Json
  /** Things looked at. */
  examined: number
}

/** What is installed, read when it is first asked for; undefined without dpkg. Throws when it cannot be read. */
export type Packages = () => Installed | undefined

/** One thing to look at. What it throws makes its rules blind. */
export interface Area {
  subject: string
  rules: string[]
  check(ctx: CheckContext<Config>, packages: Packages): AreaReport | Promise<AreaReport>
}

/** An area that has nothing to judge. */
export function notHere(rules: readonly string[], reason: string): AreaReport {
  return { findings: [], inapplicable: rules.map((rule) => ({ rule, reason })), examined: 0 }
}
