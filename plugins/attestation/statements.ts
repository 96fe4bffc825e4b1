import { type HostReader, type HostWriter, z } from '../../agent/contract/mod.ts'

const statementSchema = z.strictObject({
  item: z.string(),
  /** When it was stated; UTC milliseconds. */
  atMs: z.number(),
  by: z.string(),
  note: z.string(),
  /** A copy lies below the state directory under its SHA-256. */
  evidence: z.strictObject({ name: z.string(), bytes: z.number(), sha256: z.string() }).nullable(),
  /** The seal of the statement before it, "" for the first: none can be taken out or moved. */
  previous: z.string(),
})
export type Statement = z.infer<typeof statementSchema>

const lineSchema = z.strictObject({ statement: statementSchema, seal: z.string() })

const MAX_RECORD_BYTES = 16_777_216

/** What of the record cannot be trusted. */
export class Forged extends Error {
  override readonly name = 'Forged'
}

type Seal = (text: string) => string

/** The statements of a job, each sealed with a key of this host; oldest first. */
export class Statements {
  constructor(
    private readonly state: HostReader,
    private readonly stateDir: string,
    private readonly seal: Seal,
  ) {}

  get path(): string {
    return `${this.stateDir}/statements.jsonl`
  }

  /** Throws Forged when a statement is not the one that was sealed, or one is missing between two. */
  read(): Statement[] {
    if (!this.state.stat(this.path)) return []
    const text = this.state.readText(this.path, { maxBytes: MAX_RECORD_BYTES })
    let previous = ''
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line, index) => {
        const { statement, seal } = parseLine(line, index)
        if (this.seal(JSON.stringify(statement)) !== seal || statement.previous !== previous) {
          throw new Forged(`statement ${index + 1} of the record was changed, or one before it was taken out`)
        }
        previous = seal
        return statement
      })
  }

  /** Adds a statement; durable when it returns. */
  add(writer: HostWriter, statement: Omit<Statement, 'previous'>): void {
    const before = this.read()
    const last = before.at(-1)
    const full = { ...statement, previous: last ? this.seal(JSON.stringify(last)) : '' }
    const lines = [...before, full].map((one) =>
      JSON.stringify({ statement: one, seal: this.seal(JSON.stringify(one)) }),
    )
    writer.writeFile(this.path, `${lines.join('\n')}\n`, { replace: true })
  }
}

function parseLine(line: string, index: number) {
  try {
    return lineSchema.parse(JSON.parse(line))
  } catch {
    throw new Forged(`statement ${index + 1} of the record cannot be read`)
  }
}
