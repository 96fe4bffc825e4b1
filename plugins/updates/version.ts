/**
 * Compares two versions as dpkg does (deb-version(7)): negative, 0 or positive. Epoch, upstream version, revision;
 * "~" sorts before everything, even the end; letters before other characters; digits as numbers of any length.
 */
export function compareVersions(a: string, b: string): number {
  const [one, two] = [split(a), split(b)]
  return (
    compareDigits(one.epoch, two.epoch) ||
    comparePart(one.upstream, two.upstream) ||
    comparePart(one.revision, two.revision)
  )
}

function split(version: string): { epoch: string; upstream: string; revision: string } {
  const colon = version.indexOf(':')
  const rest = version.slice(colon + 1)
  const dash = rest.lastIndexOf('-')
  return {
    epoch: colon < 0 ? '' : version.slice(0, colon),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? '' : rest.slice(dash + 1),
  }
}

function comparePart(a: string, b: string): number {
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a, i)) || (j < b.length && !isDigit(b, j))) {
      const difference = weight(a, i) - weight(b, j)
      if (difference !== 0) return difference
      i++
      j++
    }
    const [from, other] = [i, j]
    while (isDigit(a, i)) i++
    while (isDigit(b, j)) j++
    const difference = compareDigits(a.slice(from, i), b.slice(other, j))
    if (difference !== 0) return difference
  }
  return 0
}

/** Of a character outside of a number; a digit and the end weigh the same. */
function weight(text: string, at: number): number {
  if (at >= text.length || isDigit(text, at)) return 0
  const code = text.charCodeAt(at)
  if (code === 0x7e) return -1
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
  return isLetter ? code : code + 256
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 0x30 && code <= 0x39
}

function compareDigits(a: string, b: string): number {
  const [one, two] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  if (one.length !== two.length) return one.length - two.length
  return one < two ? -1 : one > two ? 1 : 0
}

/** A version as programs print it, in a form that compares right: "v1.2.0-rc1" comes before "1.2.0". */
export function plainVersion(text: string): string {
  return text
    .trim()
    .replace(/^v(?=\d)/, '')
    .replace(/-(?=(alpha|beta|rc|pre|dev|a|b)\b|(alpha|beta|rc|pre|dev)\d)/i, '~')
}
