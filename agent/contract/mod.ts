/** All that a plugin may import. */
export { z } from 'zod'
export { type AclNames, formatAcl, parseAcl } from '../lib/access-control-list.ts'
export { formatBytes } from '../lib/bytes.ts'
export { formatDuration } from '../lib/duration.ts'
export { type Assignment, parseAssignments } from '../lib/environment-file.ts'
export { describeError, errnoOf, NotPermittedError, UserError } from '../lib/errors.ts'
export { capabilityNames, formatCapabilities, parseCapabilities } from '../lib/file-capabilities.ts'
export { expandBraces, globMatcher } from '../lib/glob.ts'
export {
  type Address,
  covers,
  formatAddress,
  formatPrefix,
  hostPrefix,
  isLoopback,
  isPrivate,
  type Prefix,
  parseAddress,
  parsePrefix,
} from '../lib/ip-address.ts'
export type { JournalSettings } from '../lib/journald-settings.ts'
export { decodeName, encodeName, writeName } from '../lib/names.ts'
export { nearest } from '../lib/nearest.ts'
export {
  compareTreeOrder,
  globBase,
  isGlob,
  isWithin,
  parsePrintablePath,
  printablePath,
  shellWord,
} from '../lib/path.ts'
export { foldName, isSecretName, isVariableReference, urlPasswords } from '../lib/secret-names.ts'
export { threadFile } from '../lib/thread-file.ts'
export * as records from './entry-record.ts'
export {
  DETAILS,
  type Detail,
  type DetailRequest,
  type EntryDetails,
  type EntryState,
  FILE_FLAGS,
  type FileFlag,
} from './entry-state.ts'
export { absolutePath, byteSize, duration, fileMode, secretReference } from './fields.ts'
export type {
  AttributesLost,
  ContentRange,
  CreateOptions,
  DatabaseSource,
  Entry,
  EntryAttributes,
  ExactStat,
  FileMaker,
  FileSink,
  FileSource,
  FileStat,
  FileType,
  GlobMatch,
  GlobOptions,
  HostDirectory,
  HostReader,
  HostWriter,
  HttpAnswer,
  HttpQuestion,
  HttpRequest,
  KernelClock,
  MadeFile,
  ProcessSurvey,
  RunningProgram,
  RunOptions,
  RunResult,
  StartOptions,
  StartTls,
  TlsHandshake,
  TlsTarget,
  TreeEntry,
  TreeWriter,
  WalkOptions,
} from './host.ts'
export { JOURNALD_FILES, readJournald } from './journald.ts'
export { ANY_ARGUMENTS, type Permissions } from './permissions.ts'
export {
  type ApplyContext,
  type CheckContext,
  type Command,
  type CommandArgs,
  type CommandContext,
  type CommandResult,
  definePlugin,
  type Log,
  type OwnAction,
  type OwnToken,
  type PluginSource,
  type PluginSpec,
  type Program,
  type Registry,
  type Rule,
  type WatchPlan,
} from './plugin.ts'
export type {
  Artifact,
  Blind,
  Fact,
  Finding,
  Inapplicable,
  Json,
  Metric,
  Report,
  Scalar,
  Severity,
} from './report.ts'
export type { ScanBatch, ScanOptions, SkipReason } from './scan.ts'
