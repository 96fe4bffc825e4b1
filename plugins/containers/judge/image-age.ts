import { type Blind, type Finding, formatDuration } from '../../../agent/contract/mod.ts'
import type { Image } from '../engine/shapes.ts'

/** Builds that are to come out the same every time say that they are of 1970 or 1980. */
const PLAUSIBLE_FROM = Date.UTC(2013, 0, 1)

/** Pure: how old the image of a container is; from when it was fetched where it does not say when it was built. */
export function judgeImageAge(
  subject: string,
  name: string,
  image: Image | undefined,
  { imageMaxAge, nowMs }: { imageMaxAge: number; nowMs: number },
): { findings: Finding[]; blind: Blind[] } {
  const dark = (reason: string) => ({ findings: [], blind: [{ subject, reason, rules: ['image-old'] }] })
  if (!image) return dark('the engine does not tell of its image')
  const built = timeOf(image.Created)
  const fetched = timeOf(image.Metadata?.LastTagTime)
  const isBuilt = built !== undefined && built >= PLAUSIBLE_FROM
  const since = isBuilt ? built : fetched !== undefined && fetched >= PLAUSIBLE_FROM ? fetched : undefined
  if (since === undefined) return dark('its image does not say when it was built')
  const age = nowMs - since
  if (age <= imageMaxAge) return { findings: [], blind: [] }
  return {
    findings: [
      {
        rule: 'image-old',
        subject,
        severity: 'warning',
        summary: `${subject} runs an image that was ${isBuilt ? 'built' : 'fetched'} ${formatDuration(roughly(age))} ago: what was put right since then is not in it`,
        remedy: `Fetch or build ${name} anew, and make the container anew`,
        evidence: { image: name, built: new Date(since).toISOString() },
      },
    ],
    blind: [],
  }
}

const DAY_MS = 86_400_000

function roughly(ms: number): number {
  return Math.max(DAY_MS, Math.floor(ms / DAY_MS) * DAY_MS)
}

function timeOf(value: string | number | null | undefined): number | undefined {
  if (value === null || value === undefined || value === '') return undefined
  const time = typeof value === 'number' ? value * 1000 : Date.parse(value)
  return Number.isFinite(time) ? time : undefined
}
