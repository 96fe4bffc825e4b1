import { expect, setDefaultTimeout } from 'bun:test'
import { join } from 'node:path'
import fc from 'fast-check'
import { testWith } from '../../../kit/needs.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'
import { cases } from './cases.ts'
import { compare, isNewer, REAL } from './oracle.ts'

const RUNS = Number(process.env.LOGROTATE_CASES ?? 150)
setDefaultTimeout(120_000)

testWith({ programs: [REAL, 'gzip'], root: true })(
  'logrotate() leaves the tree, the state and the exit code that the real program leaves',
  async () => {
    using directory = temporaryDirectory()
    await fc.assert(
      fc.asyncProperty(cases(isNewer), async (given) => {
        const { real, ours } = await compare(join(directory.path, 'case'), given)
        // One log in error holds up a shared set; 3.21 takes its others for rotated, reeve tries them again.
        const heldUp = real.exits.some((code) => code !== 0) && /^sharedscripts/m.test(given.config)
        if (heldUp && !isNewer) expect(ours.exits[0]).toBe(real.exits[0])
        else expect(ours).toEqual(real)
      }),
      { numRuns: RUNS, seed: 20_26, endOnFailure: false },
    )
  },
)
