const SPACE = /[ \t\n\v\f\r]/

/**
 * Words of a line, as popt splits them: ' and " quote, \ escapes. Within quotes a \ escapes the quote only and else
 * stays. Empty words vanish, an open quote ends with the text. Undefined: a \ ends the text, or there is no word.
 */
export function splitWords(text: string): string[] | undefined {
  const words: string[] = []
  let [word, quote] = ['', '']
  for (let index = 0; index < text.length; index++) {
    let character = text[index] ?? ''
    if (character === quote) quote = ''
    else if (quote !== '') {
      if (character === '\\') {
        character = text[++index] ?? ''
        if (character === '') return undefined
        if (character !== quote) word += '\\'
      }
      word += character
    } else if (SPACE.test(character)) {
      if (word !== '') words.push(word)
      word = ''
    } else if (character === '"' || character === "'") quote = character
    else {
      if (character === '\\') character = text[++index] ?? ''
      if (character === '') return undefined
      word += character
    }
  }
  if (word !== '') words.push(word)
  return words.length > 0 ? words : undefined
}
