import { shellWord } from '../../agent/contract/mod.ts'

/** "FILE:LINE" taken apart, as findings show it. Pure. */
export function pathAndLine(place: string): { path: string; line: number } {
  const colon = place.lastIndexOf(':')
  return { path: place.slice(0, colon), line: Number(place.slice(colon + 1)) }
}

/** Shell that puts a text without slashes in the place of a line; `place` is "FILE:LINE". Pure. */
export function replaceLine(place: string, text: string): string {
  const { path, line } = pathAndLine(place)
  return `sed -i ${shellWord(`${line}s/.*/${text}/`)} ${shellWord(path)}`
}
