import { readFileSync } from 'node:fs'

/** Users and groups of passwd and group below a root directory; read once, when first asked for. */
export class Accounts {
  private users: Map<string, { id: number; home: string }> | undefined
  private groups: Map<string, number> | undefined
  private userNames = new Map<number, string>()
  private groupNames = new Map<number, string>()

  constructor(private readonly root: string) {}

  userName(id: number): string {
    this.load()
    return this.userNames.get(id) ?? String(id)
  }

  groupName(id: number): string {
    this.load()
    return this.groupNames.get(id) ?? String(id)
  }

  userId(name: string): number | undefined {
    return this.load().users.get(name)?.id ?? numericId(name)
  }

  groupId(name: string): number | undefined {
    return this.load().groups.get(name) ?? numericId(name)
  }

  homes(): Map<string, string> {
    return new Map([...this.load().users].map(([name, user]) => [name, user.home]))
  }

  private load() {
    if (this.users && this.groups) return { users: this.users, groups: this.groups }
    this.users = new Map()
    for (const [name, , id, , , home] of readTable(`${this.root}/etc/passwd`)) {
      if (!name || !/^\d+$/.test(id ?? '')) continue
      this.users.set(name, { id: Number(id), home: home ?? '/' })
      if (!this.userNames.has(Number(id))) this.userNames.set(Number(id), name)
    }
    this.groups = new Map()
    for (const [name, , id] of readTable(`${this.root}/etc/group`)) {
      if (!name || !/^\d+$/.test(id ?? '')) continue
      this.groups.set(name, Number(id))
      if (!this.groupNames.has(Number(id))) this.groupNames.set(Number(id), name)
    }
    return { users: this.users, groups: this.groups }
  }
}

function numericId(name: string): number | undefined {
  return /^\d+$/.test(name) ? Number(name) : undefined
}

function readTable(path: string): string[][] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
  } catch {
    return [] // a root directory without accounts: ids are shown as numbers
  }
}
