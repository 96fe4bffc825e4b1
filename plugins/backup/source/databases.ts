import { describeError, type HostReader } from '../../../agent/contract/mod.ts'
import type { ArchiveLog, Member } from '../archive/writer.ts'
import { toEntry } from './members.ts'

/** SQLite databases as they are between two commits. One that is damaged is backed up as it is, and told. */
export async function* collectDatabases(
  host: HostReader,
  paths: readonly string[],
  log: ArchiveLog,
): AsyncGenerator<[Member]> {
  for (const path of paths) {
    try {
      const source = await host.openDatabase(path)
      for (const error of source.integrityErrors) log.problem(path, 'damaged', error)
      const entry = toEntry(host, path, source.stat)
      entry.size = source.stat.size
      yield [{ entry, path, source }]
    } catch (error) {
      log.problem(path, 'unreadable', describeError(error))
    }
  }
}
