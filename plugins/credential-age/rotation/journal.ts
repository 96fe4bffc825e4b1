import { describeError, type HostWriter, z } from '../../../agent/contract/mod.ts'

/**
 * In this order. What each one says is done and durable, so that after a crash the next step is known.
 * `rolling-back` and `rolled-back` end a rotation that failed before the clients had the new value.
 */
export const STEPS = [
  'preparing',
  'prepared',
  'switched',
  'reloaded',
  'verified',
  'delivered',
  'retired',
  'refused',
  'done',
  'rolling-back',
  'rolled-back',
] as const
export type Step = (typeof STEPS)[number]

const journalSchema = z.strictObject({
  version: z.literal(1),
  /** What people call the credential. */
  name: z.string(),
  path: z.string(),
  step: z.enum(STEPS),
  startedAtMs: z.number(),
  /** When the new one was in place: the overlap begins. */
  switchedAtMs: z.number().optional(),
  endedAtMs: z.number().optional(),
  /** Keyed fingerprints of what clients present. */
  oldValue: z.string().optional(),
  newValue: z.string().optional(),
  /** Keyed fingerprints of what stands in the file: the same, or those of the hashes. */
  oldEntry: z.string().optional(),
  newEntry: z.string().optional(),
  /** Keyed fingerprint of the whole text that the new one was made from. */
  content: z.string().optional(),
  /** Why it failed, or why it does not go on; without a value in it. */
  reason: z.string().optional(),
  /** The old one was presented after the rotation, and accepted. */
  oldAccepted: z.boolean().optional(),
  /** Steps that could not be proven, for want of a `verify`. */
  unproven: z.array(z.string()),
  history: z.array(z.strictObject({ step: z.enum(STEPS), atMs: z.number() })),
})

export type Journal = z.infer<typeof journalSchema>

/** Where the steps of the rotations of a job are written down; no value ever is. */
export class Journals {
  constructor(
    private readonly state: HostWriter,
    private readonly stateDir: string,
    private readonly fingerprint: (text: string) => string,
  ) {}

  /** Undefined when it was never rotated. Throws when what is there cannot be read: nobody knows then how far it is. */
  load(name: string): Journal | undefined {
    const path = this.file(name)
    if (!this.state.stat(path)) return undefined
    try {
      return journalSchema.parse(JSON.parse(this.state.readText(path)))
    } catch (error) {
      throw new Error(
        `Cannot read the journal of the rotation of "${name}" (${path}): ${error instanceof z.ZodError || error instanceof SyntaxError ? 'it is damaged' : describeError(error)}`,
        { cause: error },
      )
    }
  }

  /** Durable when it returns. */
  save(journal: Journal): void {
    if (!this.state.stat(this.directory)) this.state.makeDirectory(this.directory, 0o700)
    const text = `${JSON.stringify(journal, null, 1)}\n`
    this.state.writeFile(this.file(journal.name), text, { replace: true })
  }

  private get directory(): string {
    return `${this.stateDir}/rotations`
  }

  private file(name: string): string {
    return `${this.directory}/${this.fingerprint(name)}.json`
  }
}

/** Whether a rotation has been begun and is neither through nor taken back. */
export function isOpen(journal: Journal): boolean {
  return journal.step !== 'done' && journal.step !== 'rolled-back'
}

/** When the overlap ends and the old one is removed; undefined while the clients do not have the new one yet. */
export function overlapEndMs({ step, switchedAtMs }: Journal, overlapMs: number): number | undefined {
  return step === 'delivered' && switchedAtMs !== undefined ? switchedAtMs + overlapMs : undefined
}
