import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/** A thread is a program of its own, found in the binary by its path. */
const THREADS = [
  'agent/host/compressor-thread.ts',
  'agent/host/file-maker-thread.ts',
  'agent/host/hash-thread.ts',
  'plugins/backup/openpgp/encryptor-thread.ts',
]

/** Makes a binary of a program of this project, whose path is one in the checkout. Throws with what the compiler says. */
export async function buildBinary(
  program: string,
  outfile: string,
  target = `bun-linux-${process.arch}`,
): Promise<void> {
  mkdirSync(dirname(outfile), { recursive: true })
  const checkout = `${import.meta.dir}/..`
  await Bun.build({
    root: checkout,
    entrypoints: [program, ...THREADS].map((path) => `${checkout}/${path}`),
    target: 'bun',
    format: 'esm',
    minify: true,
    // Source text is compiled to bytecode at build time: it starts in half the time.
    bytecode: true,
    // Each road through the program loads only what it needs.
    splitting: true,
    compile: {
      target: target as Bun.Build.CompileTarget,
      outfile,
      // A host agent takes no code and no settings from the directory it happens to be started in.
      autoloadBunfig: false,
      autoloadDotenv: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  })
}
