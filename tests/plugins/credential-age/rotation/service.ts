import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import type { configSchema } from '../../../../plugins/credential-age/config.ts'

export const NOW = Date.parse('2027-03-01T12:00:00Z')
export const DAY = 86_400_000

/** Values that are there before; long and random enough for nobody to find fault with them. */
export const OLD = 'k7Q2vXw9Lr4TzB8mNc3Pf6HsJd5Ga1YeOld'
export const CLIENT_OF_ANOTHER = 'Zp8Wq3RtYv6Mx1Kb7Nc4Lf9Hs2Jd5Ga0Oth'

/**
 * A service made of programs: `reload` takes what the file holds into its memory (a copy of the file), `verify`
 * accepts what it has in memory. So a rotation that forgets a step is found out, as with a real service.
 */
export class Service {
  readonly memory: string
  readonly reload: [string]
  readonly verify: [string]
  readonly file: string
  readonly client: string

  constructor(readonly directory: string) {
    mkdirSync(join(directory, 'bin'), { recursive: true })
    mkdirSync(join(directory, 'etc'), { recursive: true })
    mkdirSync(join(directory, 'client'), { recursive: true })
    this.memory = join(directory, 'bin/memory')
    this.file = join(directory, 'etc/secret')
    this.client = join(directory, 'client/env')
    this.reload = [
      this.program(
        'reload',
        `cat '${this.file}' > '${this.memory}.new' && mv '${this.memory}.new' '${this.memory}'`,
      ),
    ]
    // A token of a token-file, the value of a variable, or a token whose hash is there.
    this.verify = [
      this.program(
        'verify',
        `read -r value; hash=$(printf %s "$value" | sha256sum | cut -d ' ' -f 1)
grep -qxF -e "$value" -e "API_TOKEN=$value" -e "$hash" '${this.memory}' || exit 1`,
      ),
    ]
  }

  program(name: string, script: string): string {
    const path = join(this.directory, 'bin', name)
    writeFileSync(path, `#!/bin/sh\n${script}\n`)
    chmodSync(path, 0o755)
    return path
  }

  /** Writes the file and loads it, as a service that was started with it. */
  start(content: string): void {
    writeFileSync(this.file, content, { mode: 0o600 })
    writeFileSync(this.memory, content)
  }

  /** A job that rotates its credential; the programs of the tests write into their own directory. */
  config(
    kind: 'env-file' | 'token-file',
    rotation: Record<string, unknown> = {},
    more: Record<string, unknown> = {},
  ): z.input<typeof configSchema> {
    const declared = {
      kind,
      path: this.file,
      name: 'service',
      maxAge: 'never',
      rotation: {
        reload: [this.reload],
        verify: this.verify,
        overlap: '1d',
        write: [join(this.directory, 'bin')],
        ...rotation,
      },
      ...more,
    }
    return {
      exposure: { commandLines: false, histories: [] },
      use: { units: [], processes: false },
      credentials: [declared as never],
    }
  }
}
