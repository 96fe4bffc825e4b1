import { Unreadable } from '../credential.ts'

/** More than any chain or bundle of certificate authorities has. */
const MAX_BLOCKS = 1000

export interface PemBlock {
  /** "CERTIFICATE", "OPENSSH PRIVATE KEY" */
  label: string
  /** Line of its BEGIN, from 1. */
  line: number
  /** Proc-Type and DEK-Info of the old way to encrypt. */
  encryptedHeader: boolean
  bytes: Uint8Array
}

/** The blocks of a PEM file (RFC 7468, and the headers of RFC 1421); text around them does not count. */
export function parsePem(lines: string[]): { blocks: PemBlock[]; problems: string[] } {
  const blocks: PemBlock[] = []
  const problems: string[] = []
  let open: { label: string; line: number; body: string[] } | undefined
  for (const [index, line] of lines.entries()) {
    const [, edge, label] = /^-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----\s*$/.exec(line) ?? []
    if (label === undefined) {
      open?.body.push(line.trim())
      continue
    }
    if (edge === 'BEGIN') {
      if (open) problems.push(`line ${open.line}: a block that begins here is not ended`)
      open = { label, line: index + 1, body: [] }
      if (blocks.length >= MAX_BLOCKS) throw new Unreadable(`it has more than ${MAX_BLOCKS} PEM blocks`)
    } else if (open?.label === label) {
      const block = decodeBlock(open)
      if (block) blocks.push(block)
      else problems.push(`line ${open.line}: a block that begins here is no base64`)
      open = undefined
    } else {
      problems.push(`line ${index + 1}: the end of a block that was not begun`)
      open = undefined
    }
  }
  if (open) problems.push(`line ${open.line}: a block that begins here is not ended (truncated?)`)
  return { blocks, problems: problems.slice(0, 20) }
}

function decodeBlock(open: { label: string; line: number; body: string[] }): PemBlock | undefined {
  const headers = open.body.indexOf('')
  const hasHeaders = /^[A-Za-z][A-Za-z0-9-]*: /.test(open.body[0] ?? '')
  const body = (hasHeaders ? open.body.slice(headers + 1) : open.body).join('')
  if (body === '' || body.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(body)) return undefined
  return {
    label: open.label,
    line: open.line,
    encryptedHeader: hasHeaders && open.body.some((line) => /^Proc-Type: *4, *ENCRYPTED/.test(line)),
    bytes: Buffer.from(body, 'base64'),
  }
}
