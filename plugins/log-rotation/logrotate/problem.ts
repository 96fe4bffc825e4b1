/** What a directive says wrong; the message goes behind `file:line `. Without a message it has been told. */
export class DirectiveProblem extends Error {
  constructor(
    message: string,
    /** `block`: the block is skipped, or the file outside of one. `file`: the rest of the file. `word`: nothing. */
    readonly spoils: 'block' | 'file' | 'word' = 'block',
  ) {
    super(message)
  }
}
