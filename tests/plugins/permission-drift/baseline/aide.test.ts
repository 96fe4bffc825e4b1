import { expect, setDefaultTimeout } from 'bun:test'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import drift from '../../../../plugins/permission-drift/plugin.ts'
import { testWith } from '../../../kit/needs.ts'
import { pluginUnderTest, temporaryDirectory } from '../../../kit/plugin.ts'

setDefaultTimeout(process.env.REEVE_LONG_TESTS ? 600_000 : 60_000)

const FILES = 120

/** Files in directories, some of them linked, and links; the same for everybody. */
function makeTree(tree: string): string[] {
  const paths = Array.from({ length: FILES }, (_, index) => `${index % 7}/${index % 5}/file ${index}`)
  for (const path of paths) {
    mkdirSync(join(tree, path, '..'), { recursive: true })
    writeFileSync(join(tree, path), `contents of ${path}`, { mode: 0o644 })
  }
  symlinkSync('0/0/file 0', join(tree, 'link'))
  linkSync(join(tree, '0/0/file 0'), join(tree, 'hard'))
  return paths
}

type Act = (path: string) => void
const ACTS: Record<string, Act> = {
  mode: (path) => chmodSync(path, 0o600),
  owner: (path) => chownSync(path, 1000, 0),
  group: (path) => chownSync(path, 0, 1000),
  'mode and back': (path) => {
    chmodSync(path, 0o600)
    chmodSync(path, 0o644)
  },
  append: (path) => appendFileSync(path, 'more'),
  'change a byte': (path) => {
    const bytes = readFileSync(path)
    bytes[0] = (bytes[0] ?? 0) ^ 1
    writeFileSync(path, bytes)
  },
  remove: (path) => unlinkSync(path),
  rename: (path) => renameSync(path, `${path} renamed`),
  'into a directory': (path) => {
    unlinkSync(path)
    mkdirSync(path)
    writeFileSync(join(path, 'inside'), '')
  },
  'into a link': (path) => {
    unlinkSync(path)
    symlinkSync('/etc/passwd', path)
  },
  'a new one beside it': (path) => writeFileSync(`${path} new`, ''),
  'a new link beside it': (path) => symlinkSync('x', `${path} link`),
  'written again as it was': (path) => writeFileSync(path, readFileSync(path)),
}

/** Paths below the tree that AIDE says are other than in its database. */
function aide(work: string, tree: string, action: '--init' | '--check'): string[] {
  const config = join(work, 'aide.conf')
  writeFileSync(
    config,
    `database_in=file:${work}/aide.db\ndatabase_out=file:${work}/aide.db\ngzip_dbout=no\nreport_url=stdout\n` +
      `report_level=minimal\n${tree} p+u+g+ftype+l+sha256\n`,
  )
  const { exitCode, stdout, stderr } = Bun.spawnSync(['aide', '--config', config, action])
  if (exitCode >= (action === '--init' ? 1 : 8)) throw new Error(stderr.toString())
  const found = [...stdout.toString().matchAll(/^[fdlLDB|+\-!?.:= a-zA-Z]*?: (\/.*)$/gm)].map(
    ([, path]) => path ?? '',
  )
  // On the way to the tree it looks at directories that others change meanwhile.
  const below = found.filter((path) => path === tree || path.startsWith(`${tree}/`))
  return [...new Set(below)].map((path) => path.slice(tree.length)).sort()
}

testWith({ root: true, programs: ['aide'] })(
  'check() finds the same paths as AIDE after the same changes',
  async () => {
    const acts = fc.uniqueArray(fc.tuple(fc.nat(FILES - 1), fc.constantFrom(...Object.keys(ACTS))), {
      minLength: 1,
      maxLength: 25,
      selector: ([file]) => file,
    })
    await fc.assert(
      fc.asyncProperty(acts, async (changes) => {
        using work = temporaryDirectory()
        using state = temporaryDirectory()
        const tree = join(work.path, 'tree')
        mkdirSync(tree)
        const paths = makeTree(tree)
        aide(work.path, tree, '--init')
        const reeve = pluginUnderTest(
          drift,
          {
            trees: [{ path: tree, attributes: ['mode', 'owner', 'group', 'content', 'target'] }],
            maxFindings: 2000,
            explain: { packages: [], tmpfiles: false },
          },
          { stateDir: state.path },
        )
        const { memory } = await reeve.check()
        for (const [file, act] of changes) ACTS[act]?.(join(tree, paths[file] ?? ''))
        const { findings, blind } = await reeve.check(memory)
        expect(blind).toEqual([])
        const ours = findings.flatMap(({ rule, subject, evidence }) => {
          const below = evidence?.below ? [`${subject}/inside`] : []
          return [subject, ...below, ...(rule === 'renamed' ? [String(evidence?.from)] : [])]
        })
        expect(ours.map((path) => path.slice(tree.length)).sort()).toEqual(aide(work.path, tree, '--check'))
        rmSync(tree, { recursive: true })
      }),
      { seed: 23, numRuns: process.env.REEVE_LONG_TESTS ? 200 : 6 },
    )
  },
)
