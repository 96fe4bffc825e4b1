import { expect, test } from 'bun:test'
import { formatBytes, parseBytes } from '../../../agent/lib/bytes.ts'

const sizes: [text: string, bytes: number | undefined][] = [
  ['0', 0],
  ['512', 512],
  ['1k', 1024],
  ['1K', 1024],
  ['100M', 104_857_600],
  ['2GiB', 2_147_483_648],
  ['1 T', 1024 ** 4],
  ['1.5G', undefined],
  ['-1', undefined],
  ['1X', undefined],
  ['', undefined],
  ['9999999P', undefined],
]
for (const [text, bytes] of sizes) {
  test(`parseBytes() of "${text}" is ${bytes}`, () => expect(parseBytes(text)).toBe(bytes))
}

for (const [bytes, text] of [
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1_500_000_000, '1.4 GiB'],
  [2 ** 60, '1024.0 PiB'],
] as const) {
  test(`formatBytes() of ${bytes} is "${text}"`, () => expect(formatBytes(bytes)).toBe(text))
}
