import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { profileSchema } from '../../agent/config/profile-schema.ts'
import { builtInPlugins } from '../../plugins/index.ts'

const CHECKOUT = join(import.meta.dir, '../..')
const read = (path: string) => readFileSync(join(CHECKOUT, path), 'utf8')
const PAGE = read('docs/practices.md')

/** How many practices each of the four guides comes to. */
const COUNTS = [62, 44, 39, 107]

const rows = PAGE.split('\n').flatMap((line) => {
  const cells = /^\| (\d\.\d+) \| (.+) \| (.+) \| (.+) \|$/.exec(line)
  if (!cells) return []
  const [, id = '', practice = '', itself = '', host = ''] = cells
  return [{ id, practice, itself, host }]
})

const plugins = await builtInPlugins.load(builtInPlugins.names)
const profiles = new Map(
  await Promise.all(
    Object.entries(builtInPlugins.profiles ?? {}).map(
      async ([name, load]) => [name, profileSchema.parse(parse(await load()))] as const,
    ),
  ),
)

/** Why what a reference names is not there; undefined when it is. */
function problemOf(reference: string): string | undefined {
  const [, kind = '', rest = ''] = /^(set|unit|code|test):(.+)$/.exec(reference) ?? []
  if (kind === 'set') return settingProblem(rest)
  if (kind === 'unit') {
    // ReadWritePaths= is in the drop-in that is written for the jobs.
    const unit = `${read('packaging/systemd/reeve.service')}\n${read('agent/units.ts')}`
    return unit.includes(`${rest}=`) ? undefined : 'the unit has no such directive'
  }
  if (kind === 'code') return existsSync(join(CHECKOUT, rest)) ? undefined : 'there is no such file'
  if (kind === 'test') {
    const [path = '', title = ''] = rest.split('#')
    if (!existsSync(join(CHECKOUT, path))) return 'there is no such file'
    return title !== '' && read(path).includes(title) ? undefined : 'the file has no such test'
  }
  const [plugin, rule] = reference.split('/')
  if (rule !== undefined) {
    return Object.hasOwn(plugins.get(plugin ?? '')?.rules ?? {}, rule)
      ? undefined
      : 'no plugin has such a rule'
  }
  const [profile, item] = reference.split(':')
  const isItem = profiles.get(profile ?? '')?.items.some(({ id }) => id === item)
  return isItem ? undefined : 'no checklist has such an item'
}

function settingProblem(key: string): string | undefined {
  const [first = '', ...others] = key.split('.')
  const isPlugin = plugins.has(first)
  const page = read(isPlugin ? `plugins/${first}/README.md` : 'docs/configuration.md')
  return page.includes(`| \`${isPlugin ? others.join('.') : key}\` |`)
    ? undefined
    : 'there is no such setting'
}

/** What stands in backticks and has the form of a reference. */
function referencesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)]
    .map(([, text = '']) => text)
    .filter((text) => /^(set|unit|code|test):|^[a-z-]+\/[a-z0-9-]+$|^[a-z]+:[a-z0-9-]+$/.test(text))
}

test('practices.md has every practice, once and in order', () => {
  const wanted = COUNTS.flatMap((count, guide) =>
    Array.from({ length: count }, (_, index) => `${guide}.${index + 1}`),
  )
  expect(rows.map(({ id }) => id)).toEqual(wanted)
})

test('practices.md says of each practice where it is met, or why not', () => {
  const empty = rows.flatMap(({ id, itself, host }) =>
    [itself, host].flatMap((cell) =>
      referencesIn(cell).length > 0 || /^– \S.{10,}|see above/.test(cell) ? [] : [`${id}: ${cell}`],
    ),
  )
  expect(empty).toEqual([])
})

test('practices.md names nothing that is not there', () => {
  const references = [
    ...new Set(rows.flatMap(({ itself, host }) => [...referencesIn(itself), ...referencesIn(host)])),
  ]
  expect(references.length).toBeGreaterThan(250)
  expect(references.flatMap((reference) => problemOf(reference)?.concat(`: ${reference}`) ?? [])).toEqual([])
})

test('every item of the checklists of services is named in practices.md', () => {
  const named = new Set(rows.flatMap(({ host }) => referencesIn(host)))
  const missing = [...profiles].flatMap(([name, { items }]) =>
    name === 'baseline' ? [] : items.map(({ id }) => `${name}:${id}`).filter((item) => !named.has(item)),
  )
  expect(missing).toEqual([])
})
