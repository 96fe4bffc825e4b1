import { type HostWriter, z } from '../../../agent/contract/mod.ts'

const noteSchema = z.strictObject({
  location: z.string(),
  /** Of the object in its bucket. */
  key: z.string(),
  /** SHA-256 of the whole object. */
  sha256: z.string(),
  uploadId: z.string(),
  partBytes: z.number().int().positive(),
  /** What the store calls the parts that it has, in order. */
  parts: z.array(z.string()),
})
const fileSchema = z.array(noteSchema)

export type UploadNote = z.output<typeof noteSchema>

/**
 * How far uploads in parts have come, in the state directory of the job: a later run goes on from there. It is a
 * help only; what is there is believed by nobody before the whole object was read back.
 */
export class UploadNotes {
  private notes: UploadNote[]

  constructor(
    private readonly state: HostWriter,
    private readonly path: string,
  ) {
    this.notes = this.load()
  }

  find(location: string, sha256: string): UploadNote | undefined {
    return this.notes.find((note) => note.location === location && note.sha256 === sha256)
  }

  at(location: string): UploadNote[] {
    return this.notes.filter((note) => note.location === location)
  }

  keep(note: UploadNote): void {
    this.notes = [...this.notes.filter(({ uploadId }) => uploadId !== note.uploadId), note]
    this.save()
  }

  drop(uploadId: string): void {
    if (!this.notes.some((note) => note.uploadId === uploadId)) return
    this.notes = this.notes.filter((note) => note.uploadId !== uploadId)
    this.save()
  }

  private load(): UploadNote[] {
    if (!this.state.stat(this.path)) return []
    try {
      return fileSchema.parse(JSON.parse(this.state.readText(this.path, { maxBytes: 16_777_216 })))
    } catch {
      return [] // Then uploads begin anew.
    }
  }

  private save(): void {
    const temporaryPath = `${this.path}.new`
    if (this.state.stat(temporaryPath)) this.state.remove(temporaryPath)
    this.state.writeFile(this.path, JSON.stringify(this.notes), { replace: true, temporaryPath })
  }
}
