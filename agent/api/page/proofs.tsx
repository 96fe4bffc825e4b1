/** @jsxImportSource hono/jsx */
import { formatBytes } from '../../lib/bytes.ts'
import type { StoredArtifact, StoredFact } from '../../store/read-inventory.ts'
import { Datum, inWords, Literal, Time } from './parts.tsx'

const FACTS_SHOWN_OF_A_KIND = 25
const COLUMNS = 6

/** What reeve can show for its work: backups, rotations, credentials, as the last look found them. */
export function Proofs(props: {
  facts: Map<string, StoredFact[]>
  more: boolean
  artifacts: StoredArtifact[]
  now: number
}) {
  const { facts, more, artifacts, now } = props
  return (
    <section aria-labelledby="proofs">
      <h2 id="proofs">Proofs and inventory</h2>
      {facts.size === 0 && artifacts.length === 0 && <p class="empty">Nothing has been recorded yet.</p>}
      {[...facts].map(([kind, rows]) => (
        <FactTable kind={kind} facts={rows} now={now} />
      ))}
      {more && (
        <p class="hint">
          There is more than this; <code>/v1/facts</code> lists all.
        </p>
      )}
      {artifacts.length > 0 && <Artifacts artifacts={artifacts} now={now} />}
    </section>
  )
}

function FactTable({ kind, facts, now }: { kind: string; facts: StoredFact[]; now: number }) {
  const columns = [...new Set(facts.flatMap((fact) => Object.keys(fact.data)))].slice(0, COLUMNS)
  const hidden = facts.length - FACTS_SHOWN_OF_A_KIND
  return (
    <>
      <h3>{inWords(kind)}</h3>
      <table class="stack">
        <thead>
          <tr>
            <th scope="col">Subject</th>
            {columns.map((column) => (
              <th scope="col">{inWords(column)}</th>
            ))}
            <th scope="col">Changed</th>
            <th scope="col">Seen</th>
          </tr>
        </thead>
        <tbody>
          {facts.slice(0, FACTS_SHOWN_OF_A_KIND).map((fact) => (
            <tr>
              <th scope="row">
                <Literal text={fact.subject} />
                <span class="sub">job {fact.job}</span>
              </th>
              {columns.map((column) => (
                <td data-label={inWords(column)}>
                  <Datum name={column} value={fact.data[column]} now={now} />
                </td>
              ))}
              <td data-label="Changed">
                <Time at={fact.changedAt} now={now} />
              </td>
              <td data-label="Seen">
                <Time at={fact.seenAt} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {hidden > 0 && <p class="hint">and {hidden} more</p>}
    </>
  )
}

function Artifacts({ artifacts, now }: { artifacts: StoredArtifact[]; now: number }) {
  return (
    <>
      <h3>Files left by the last runs</h3>
      <table class="stack">
        <thead>
          <tr>
            <th scope="col">File</th>
            <th scope="col">Kind</th>
            <th scope="col">Job</th>
            <th scope="col">Size</th>
            <th scope="col">SHA-256</th>
            <th scope="col">Made</th>
          </tr>
        </thead>
        <tbody>
          {artifacts.map((artifact) => (
            <tr>
              <th scope="row">
                <Literal text={artifact.path} />
              </th>
              <td data-label="Kind">{artifact.kind}</td>
              <td data-label="Job">{artifact.job}</td>
              <td data-label="Size">{formatBytes(artifact.bytes)}</td>
              <td data-label="SHA-256">
                {artifact.sha256 === null ? (
                  <span class="none">not taken</span>
                ) : (
                  <code title={artifact.sha256}>{artifact.sha256.slice(0, 12)}…</code>
                )}
              </td>
              <td data-label="Made">
                <Time at={artifact.createdAt} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  )
}
