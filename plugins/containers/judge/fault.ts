import type { Finding } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import type { Aspect, ContainerSettings, Place } from '../settings.ts'

export type Severity = Finding['severity']
export type Policy = Pick<Config, 'hardening' | 'capabilities' | 'registries' | 'publicPorts' | 'dns'>

/** One thing that is wrong with a container. */
export interface Fault {
  severity: Severity
  /** After the name: "runs as root". */
  says: string
  /** For `docker run`. */
  flag: string
  /** For a compose file. */
  key: string
  /** An exact command that changes a container that runs. */
  live?: string
  /** Distinguishes several of one rule. */
  part?: string
  evidence?: Finding['evidence']
  /** Of the very line, where that is known. */
  at?: Place | undefined
}

export interface Judgement {
  rule: string
  aspects: Aspect[]
  /** It is about what is missing: a part of a description may leave it to another. */
  ofAbsence?: boolean
  judge(settings: ContainerSettings, policy: Policy): Fault[]
}

/** Critical where root in the container is root on the host. */
export const graveIfRoot = ({ isRootless, hasUserNamespace }: ContainerSettings): Severity =>
  isRootless || hasUserNamespace ? 'warning' : 'critical'
