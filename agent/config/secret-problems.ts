import type { Problem } from './problem.ts'
import { findSecrets } from './secret-scan.ts'
import type { Source } from './source.ts'

/** Secrets that stand in configuration files as text: where, never what. */
export function secretProblems(source: Source): Problem[] {
  return source.documents.flatMap(({ file, document, lines }) =>
    findSecrets(document, lines).map(({ line, column, keyPath, what }) => ({
      file,
      line,
      column,
      keyPath,
      message: `it holds ${what}; keep it elsewhere and write a reference: env:NAME, file:/path or credential:NAME`,
    })),
  )
}
