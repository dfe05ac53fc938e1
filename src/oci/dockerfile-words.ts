export type Lookup = (name: string) => string | undefined;

/**
 * Splits an instruction's arguments into words as Docker does: white space separates, quotes join, and `$name`,
 * `${name}`, `${name:-default}` and `${name:+alternative}` are replaced (but not within single quotes).
 */
export function expandWords(text: string, lookup: Lookup, escapeCharacter = '\\'): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quote === '' && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= '';
    if (quote === "'" && char !== "'") word += char;
    else if (char === quote) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === escapeCharacter && at + 1 < text.length) {
      const next = text[++at]!;
      // Within double quotes only these can be escaped; elsewhere the escape stays.
      word += quote === '"' && !['"', '$', escapeCharacter].includes(next) ? char + next : next;
    } else if (char === '$') {
      const { value, length } = expandVariable(text.slice(at), lookup);
      word += value;
      at += length - 1;
    } else word += char;
  }
  if (quote !== '') throw new SyntaxError(`a ${quote} is never closed`);
  if (word !== undefined) words.push(word);
  return words;
}

/** The same replacements for an instruction whose whole argument is one word, such as `WORKDIR /my folder`. */
export function expandText(text: string, lookup: Lookup, escapeCharacter = '\\'): string {
  return expandWords(text, lookup, escapeCharacter).join(' ');
}

function expandVariable(text: string, lookup: Lookup): { value: string; length: number } {
  const plain = /^\$([A-Za-z_][A-Za-z0-9_]*)/.exec(text);
  if (plain) return { value: lookup(plain[1]!) ?? '', length: plain[0].length };
  const braced = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([-+])((?:[^{}]|\{[^{}]*\})*))?\}/.exec(text);
  if (braced) {
    const [whole, name, operator, word = ''] = braced;
    const set = lookup(name!) || undefined;
    const other = operator ? expandText(word, lookup) : '';
    if (operator === '+') return { value: set === undefined ? '' : other, length: whole.length };
    return { value: set ?? other, length: whole.length };
  }
  if (text.startsWith('${')) throw new SyntaxError(`cannot read the variable in ${JSON.stringify(text)}`);
  return { value: '$', length: 1 };
}
