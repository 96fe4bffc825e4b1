import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A real git repository for tests. */
export class TestRepository {
  constructor(readonly path: string) {
    mkdirSync(path, { recursive: true })
    this.git('init', '--quiet', '--initial-branch=main')
  }

  git(...args: string[]): string {
    const { exitCode, stdout, stderr } = Bun.spawnSync(['git', '-C', this.path, ...args], {
      env: {
        PATH: process.env.PATH,
        HOME: this.path,
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_AUTHOR_NAME: 'A',
        GIT_AUTHOR_EMAIL: 'a@example.org',
        GIT_COMMITTER_NAME: 'A',
        GIT_COMMITTER_EMAIL: 'a@example.org',
        GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z',
        GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z',
      },
    })
    if (exitCode !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
    return stdout.toString()
  }

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.path, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
    return path
  }

  commit(files: Record<string, string | Uint8Array>): string {
    for (const [name, content] of Object.entries(files)) this.write(name, content)
    this.git('add', '--all', '--force')
    this.git('commit', '--quiet', '--no-verify', '--message', 'change')
    return this.git('rev-parse', 'HEAD').trim()
  }
}
