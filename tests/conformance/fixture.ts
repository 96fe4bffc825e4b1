import type { Workspace } from '../kit/workspace.ts'

/** A host in miniature for one plugin, and a job that looks after it. */
export interface Fixture {
  plugin: string
  mode: 'observe' | 'enforce'
  config: Record<string, unknown>
  /** Values by reference, as the daemon would resolve them. */
  secrets?: Record<string, string>
  /** Secrets that lie on the host where the plugin reads: they must show nowhere. */
  canaries: string[]
  /** Entries of permissions without which the kernel allows the same, because another entry implies them. */
  implied?: string[]
  /** Entries of permissions that have nothing to open on this host: a program that is not installed. */
  idle?: string[]
  /** What it looks at comes and goes by itself, so that it is not as much each time. */
  isLively?: boolean
  /** What it looks at is this machine's, and others change it while the tests run: it stands still now and then only. */
  isShared?: boolean
  /** Changes something harmless on the host, so that the next check has to look closely. */
  disturb?: () => void
  /** The same job with so much to do that it takes seconds. */
  slow?: () => { kind: 'check' | 'apply'; config: Record<string, unknown> }
}

/** Its name tells fixtures of one plugin apart. */
export type MakeFixture = (host: Workspace) => Fixture
