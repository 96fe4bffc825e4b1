import { type HostWriter, z } from '../../../agent/contract/mod.ts'

const incidentSchema = z.strictObject({
  version: z.literal(1),
  /** As in the ledger. */
  subject: z.string(),
  kind: z.string(),
  openedAtMs: z.number(),
  reason: z.string().optional(),
  /** Keyed fingerprint of what was compromised: it must be in no place any more. */
  fingerprint: z.string(),
  ticks: z.record(z.string(), z.strictObject({ atMs: z.number(), by: z.string(), note: z.string() })),
})

export type Incident = z.infer<typeof incidentSchema>

const MAX_INCIDENTS = 1000

/** Credentials that were declared compromised, each in a file of the job's state. */
export class Incidents {
  private readonly directory: string

  constructor(
    private readonly state: HostWriter,
    stateDir: string,
    private readonly fingerprint: (text: string) => string,
  ) {
    this.directory = `${stateDir}/incidents`
  }

  /** Throws when one cannot be read: it may be an open one. */
  all(): Incident[] {
    if (!this.state.stat(this.directory)) return []
    return this.state
      .list(this.directory)
      .filter((name) => name.endsWith('.json'))
      .slice(0, MAX_INCIDENTS)
      .map((name) => this.read(`${this.directory}/${name}`))
  }

  /** The last one of a credential. */
  of(subject: string): Incident | undefined {
    const path = this.file(subject)
    return this.state.stat(path) ? this.read(path) : undefined
  }

  save(incident: Incident): void {
    if (!this.state.stat(this.directory)) this.state.makeDirectory(this.directory, 0o700)
    const text = `${JSON.stringify(incident, null, 1)}\n`
    this.state.writeFile(this.file(incident.subject), text, { replace: true })
  }

  private file(subject: string): string {
    return `${this.directory}/${this.fingerprint(subject)}.json`
  }

  private read(path: string): Incident {
    try {
      return incidentSchema.parse(JSON.parse(this.state.readText(path)))
    } catch (cause) {
      throw new Error(`Cannot read the incident "${path}": it is damaged`, { cause })
    }
  }
}
