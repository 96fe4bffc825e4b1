import type { SecretMatch } from './scan-text.ts'

export const PAYMENT_CARD = 'payment card'
export const NATIONAL_ID = 'social security number'

/** First digits and lengths that issuers of cards have (ISO/IEC 7812): Visa, Mastercard, Amex, Discover, JCB, Diners. */
const ISSUERS =
  /^(?:4\d{12}(?:\d{3}){0,2}|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}|6(?:011|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11})$/
const DIGITS = /(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-]|\.\d)/g
/** Areas 000, 666 and 900 to 999, and groups and serials of zeros, are given to nobody. */
const SOCIAL_SECURITY = /(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\d-])/g
/** Numbers that payment services publish for tests. */
const TEST_CARDS = new Set(['4111111111111111', '4242424242424242', '5555555555554444', '378282246310005'])

/** Pure: the check digit of Luhn. */
export function hasLuhnDigit(digits: string): boolean {
  let sum = 0
  for (let index = 0; index < digits.length; index++) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 48
    const doubled = index % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

/** Pure: places of numbers of payment cards in a text, those for tests left out. */
export function paymentCards(text: string): number[] {
  return [...text.matchAll(DIGITS)].flatMap((match) => {
    const digits = match[0].replace(/[ -]/g, '')
    const isCard =
      ISSUERS.test(digits) && hasLuhnDigit(digits) && !TEST_CARDS.has(digits) && !/^(\d)\1+$/.test(digits)
    return isCard ? [match.index] : []
  })
}

export function socialSecurityNumbers(text: string): number[] {
  return [...text.matchAll(SOCIAL_SECURITY)].map((match) => match.index)
}

/** For `scanFile`: every number is a match, of which nothing is kept but its place. */
export class PersonalDataScanner {
  constructor(private readonly nationalIds: boolean) {}

  scan(bytes: Buffer, start: number, end: number): SecretMatch[] {
    // One character for each byte: places in the text are places in the bytes.
    const text = bytes.toString('latin1', start, end)
    const at =
      (name: string) =>
      (index: number): SecretMatch => ({
        kind: 'named',
        name,
        sha256: '',
        offset: start + index,
        linesAfter: 0,
      })
    return [
      ...paymentCards(text).map(at(PAYMENT_CARD)),
      ...(this.nationalIds ? socialSecurityNumbers(text).map(at(NATIONAL_ID)) : []),
    ]
  }
}
