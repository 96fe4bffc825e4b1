import { readFileSync } from 'node:fs'

/** Users and groups of passwd and group below a root directory; each read once, when first asked for. */
export class Accounts {
  private userTable: Users | undefined
  private groupTable: Groups | undefined

  constructor(private readonly root: string) {}

  userName(id: number): string {
    return this.users().names.get(id) ?? String(id)
  }

  groupName(id: number): string {
    return this.groups().names.get(id) ?? String(id)
  }

  userId(name: string): number | undefined {
    return this.users().byName.get(name)?.id ?? numericId(name)
  }

  groupId(name: string): number | undefined {
    return this.groups().byName.get(name) ?? numericId(name)
  }

  homes(): Map<string, string> {
    return new Map([...this.users().byName].map(([name, user]) => [name, user.home]))
  }

  private users(): Users {
    if (this.userTable) return this.userTable
    this.userTable = { byName: new Map(), names: new Map() }
    const { byName, names } = this.userTable
    for (const [name, , id, , , home] of readTable(`${this.root}/etc/passwd`)) {
      if (!name || !/^\d+$/.test(id ?? '')) continue
      byName.set(name, { id: Number(id), home: home ?? '/' })
      if (!names.has(Number(id))) names.set(Number(id), name)
    }
    return this.userTable
  }

  private groups(): Groups {
    if (this.groupTable) return this.groupTable
    this.groupTable = { byName: new Map(), names: new Map() }
    const { byName, names } = this.groupTable
    for (const [name, , id] of readTable(`${this.root}/etc/group`)) {
      if (!name || !/^\d+$/.test(id ?? '')) continue
      byName.set(name, Number(id))
      if (!names.has(Number(id))) names.set(Number(id), name)
    }
    return this.groupTable
  }
}

interface Users {
  byName: Map<string, { id: number; home: string }>
  names: Map<number, string>
}

interface Groups {
  byName: Map<string, number>
  names: Map<number, string>
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
