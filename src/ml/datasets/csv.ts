/** Splits CSV text (RFC 4180) into records as it comes. */

export interface CsvRecord {
  cells: string[];
  /** The line of the text on which it begins, from 1. */
  line: number;
}

/** A longer cell is a quote that was never closed. */
const cellCharactersMax = 2 ** 20;

/** Cells may stand in double quotes, with separators, line ends and doubled quotes inside. Empty lines are passed
 * over.
 * @throws Error that names file and line. */
export async function* csvRecords(
  chunks: AsyncIterable<string>,
  { separator = ',', name = 'The CSV text' }: { separator?: string; name?: string } = {},
): AsyncGenerator<CsvRecord> {
  const reader = new CsvReader(separator, name);
  for await (const chunk of chunks) yield* reader.read(chunk);
  yield* reader.end();
}

class CsvReader {
  readonly #separator: string;
  readonly #name: string;
  #cells: string[] = [];
  #cell = '';
  /** Outside of quotes, within them, or after one that may close or be doubled. */
  #state: 'plain' | 'quoted' | 'quote' = 'plain';
  #line = 1;
  #startLine = 1;

  constructor(separator: string, name: string) {
    if (separator.length !== 1)
      throw new RangeError(`The separator must be one character, got "${separator}"`);
    this.#separator = separator;
    this.#name = name;
  }

  *read(chunk: string): Generator<CsvRecord> {
    for (const character of chunk) {
      if (character === '\n') this.#line += 1;
      if (this.#state === 'quoted') this.#inQuotes(character);
      else if (character === '"') this.#quote();
      else if (character === this.#separator) this.#endCell();
      else if (character === '\n') yield* this.#endRecord();
      else if (this.#state === 'quote' && character !== '\r') {
        throw this.#error(
          `"${character}" after a closing quote, expected ${this.#separator} or the end of the line`,
        );
      } else if (character !== '\r') this.#append(character);
    }
  }

  *end(): Generator<CsvRecord> {
    if (this.#state === 'quoted') throw this.#error('a quote is not closed');
    yield* this.#endRecord();
  }

  #inQuotes(character: string): void {
    if (character === '"') this.#state = 'quote';
    else this.#append(character);
  }

  #quote(): void {
    if (this.#state === 'plain' && this.#cell !== '')
      throw this.#error('a quote within a cell that has none around it');
    if (this.#state === 'quote') this.#append('"');
    this.#state = 'quoted';
  }

  #append(character: string): void {
    this.#cell += character;
    if (this.#cell.length > cellCharactersMax)
      throw this.#error(`a cell of more than ${cellCharactersMax} characters: is a quote not closed?`);
  }

  #endCell(): void {
    this.#cells.push(this.#cell);
    this.#cell = '';
    this.#state = 'plain';
  }

  *#endRecord(): Generator<CsvRecord> {
    const isEmpty = this.#cells.length === 0 && this.#cell === '' && this.#state === 'plain';
    if (!isEmpty) {
      this.#endCell();
      yield { cells: this.#cells, line: this.#startLine };
    }
    this.#cells = [];
    this.#startLine = this.#line;
  }

  #error(what: string): Error {
    return new Error(`${this.#name}:${this.#startLine}: ${what}`);
  }
}
