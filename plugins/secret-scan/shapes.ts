/** A token of which the form says what it is. `index` in characters. */
export interface ShapeMatch {
  /** "github", "aws-access-key-id". */
  shape: string
  index: number
  text: string
}

/** Tokens that @secretlint leaves out of its recommended rules. Forms as their services document them. */
const OWN: { shape: string; pattern: RegExp }[] = [
  { shape: 'aws-access-key-id', pattern: /(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])/g },
  { shape: 'google-api-key', pattern: /(?<![A-Za-z0-9])AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])/g },
]
/** From the documentation of the service, and in thousands of files. */
const SAMPLES = new Set(['AKIAIOSFODNN7EXAMPLE', 'AKIAI44QH8DHBEXAMPLE'])

interface Source {
  content: string
  filePath: string
  ext: string
  contentType: 'text'
}
interface Rule {
  meta: { id: string }
  create(context: object, options: object): { file?(source: Source): unknown }
}

/** Rules that are asked for whole files, or would let a file switch the others off. */
const LEFT_OUT = new Set(['gcp', 'filter-comments'])

export type ShapeFinder = (rule: string, text: string) => ShapeMatch[]

/**
 * Tells tokens by their form: the rules that @secretlint recommends, each only where one of its anchors stands. Their
 * messages hold the token: only its place is taken from them.
 */
export async function loadShapes(): Promise<ShapeFinder> {
  const { rules } = (await import('@secretlint/secretlint-rule-preset-recommend')) as { rules: Rule[] }
  let ranges: [number, number][] = []
  const context = {
    createTranslator: () => () => ({ message: '', messageId: '' }),
    report: ({ range }: { range: [number, number] }) => ranges.push(range),
    ignore: () => {},
  }
  const finders = new Map(
    rules.flatMap((rule) => {
      const name = rule.meta.id.replace(/^.*secretlint-rule-/, '')
      return LEFT_OUT.has(name) ? [] : [[name, rule.create(context, {})] as const]
    }),
  )
  return (rule, text) => {
    if (rule === 'own') return ownShapes(text)
    ranges = []
    finders.get(rule)?.file?.({ content: text, filePath: '', ext: '', contentType: 'text' })
    return ranges.map(([index, end]) => {
      // Of this one it tells where the name begins.
      const secret = rule === 'aws' ? /[A-Za-z0-9/+=]{40}/.exec(text.slice(index))?.[0] : undefined
      return { shape: rule, index, text: secret ?? text.slice(index, end) }
    })
  }
}

function ownShapes(text: string): ShapeMatch[] {
  return OWN.flatMap(({ shape, pattern }) =>
    [...text.matchAll(pattern)]
      .filter(([token]) => !SAMPLES.has(token))
      .map((match) => ({ shape, index: match.index, text: match[0] })),
  )
}
