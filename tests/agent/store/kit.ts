import { join } from 'node:path'
import type { Finding } from '../../../agent/contract/report.ts'
import { openStore } from '../../../agent/store/open.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

export const NOW = Date.parse('2026-03-10T12:00:00Z')

/** A store in a directory of its own. */
export function openTestStore() {
  const directory = temporaryDirectory()
  const store = openStore(join(directory.path, 'reeve.db'))
  const rows = (sql: string) => store.sqlite.query<Record<string, unknown>, []>(sql).all()
  const dispose = () => {
    store.close()
    directory[Symbol.dispose]()
  }
  return { store, rows, [Symbol.dispose]: dispose }
}

const finding = (subject: string): Finding => ({ rule: 'wrong', subject, severity: 'warning', summary: 'x' })
/** A finding as reconciliation hands it to the store. */
export const seen = (subject: string, more = {}) => ({
  finding: finding(subject),
  fingerprint: `f${subject}`,
  known: null,
  transition: 'opened' as const,
  waiver: null,
  silence: null,
  ...more,
})
