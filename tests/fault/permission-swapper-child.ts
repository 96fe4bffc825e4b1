import { linkSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'

// Puts one thing after the other into the place of the entries that are being repaired, as fast as it can: files,
// links and hard links to victims outside of the policy, directories, pipes. It ends with its standard input.

const [box = '', victims = ''] = process.argv.slice(2)
const names = ['a', 'b', 'c']
let number = 0
let seed = Number(process.argv[4] ?? 1)
/** xorshift32: the same order of swaps for a seed. */
const random = (below: number) => {
  seed ^= seed << 13
  seed ^= seed >>> 17
  seed ^= seed << 5
  return (seed >>> 0) % below
}

const makers: ((path: string) => void)[] = [
  (path) => writeFileSync(path, '', { mode: 0o666 }),
  (path) => symlinkSync(`${victims}/file`, path),
  (path) => linkSync(`${victims}/file`, path),
  (path) => linkSync(`${victims}/program`, path),
  (path) => symlinkSync(`${victims}/directory`, path),
  (path) => mkdirSync(path, { mode: 0o777 }),
]

let isEnded = false
process.stdin.on('end', () => {
  isEnded = true
})
process.stdin.resume()
process.stdout.write('swapping\n')
while (!isEnded) {
  for (let burst = 0; burst < 200; burst++) {
    const path = `${box}/${names[random(names.length)]}`
    const fresh = `${box}/.${number++}`
    try {
      makers[random(makers.length)]?.(fresh)
      // A directory gives way to nothing but a directory.
      if (random(4) === 0) rmSync(path, { recursive: true, force: true })
      renameSync(fresh, path)
    } catch {
      rmSync(fresh, { recursive: true, force: true })
    }
    // The directory on the way becomes a link to another one, and comes back.
    if (random(50) === 0) {
      try {
        renameSync(box, `${box}.away`)
        symlinkSync(`${victims}/directory`, box)
        rmSync(box)
      } finally {
        renameSync(`${box}.away`, box)
      }
    }
  }
  await new Promise((resolve) => setImmediate(resolve))
}
process.stdout.write(`${number}\n`)
