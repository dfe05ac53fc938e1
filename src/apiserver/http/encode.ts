import type { WatchEvent } from '../../client/transport.ts';

/** A list longer than this is encoded in steps, so that other requests get their turn in between. */
const itemsPerStep = 100;
/** The newest objects keep their JSON: what is read, listed and sent to many watchers is encoded once. */
export const keptCharactersMax = 8 * 1024 * 1024;
const oneKeptCharactersMax = 64 * 1024;
const kept = new Map<object, string>();
let keptCharacters = 0;

/** The JSON of an object that is shared and never changed in place. */
export function jsonOf(object: object): string {
  const known = kept.get(object);
  if (known !== undefined) return known;
  const json = JSON.stringify(object);
  if (json.length > oneKeptCharactersMax) return json;
  kept.set(object, json);
  keptCharacters += json.length;
  for (const [oldest, text] of kept) {
    if (keptCharacters <= keptCharactersMax) break;
    kept.delete(oldest);
    keptCharacters -= text.length;
  }
  return json;
}

/** How much is kept at the moment, in characters. */
export function charactersKept(): number {
  return keptCharacters;
}

/** One line of a watch. */
export function encodeEvent({ type, object }: WatchEvent): string {
  return `{"type":"${type}","object":${jsonOf(object)}}\n`;
}

export interface Format {
  isYaml: boolean;
  isPretty: boolean;
}

/** An answer as JSON, or as YAML where the client asked for that; what is no longer an object is text. */
export async function encodeObject(object: unknown, format: Format): Promise<string> {
  if (format.isYaml) {
    const { stringify } = await import('yaml');
    return stringify(object, { aliasDuplicateObjects: false });
  }
  if (format.isPretty) return `${JSON.stringify(object, null, 2)}\n`;
  return `${jsonOf(object as object)}\n`;
}

/** A list in parts, each of some members; the head comes first, whatever it holds. */
export async function* encodeList(
  head: object,
  member: string,
  pages: AsyncIterable<readonly object[]>,
  format: Format,
): AsyncGenerator<string> {
  const style = await styleOf(format);
  yield style.open(head, member);
  let count = 0;
  for await (const page of pages) {
    for (let from = 0; from < page.length; from += itemsPerStep) {
      // Between two steps others get their turn.
      if (from > 0) await new Promise((resolve) => setImmediate(resolve));
      const items = page.slice(from, from + itemsPerStep);
      yield style.members(items, count);
      count += items.length;
    }
  }
  yield style.close(count);
}

interface Style {
  open(head: object, member: string): string;
  /** `before` of them have been written already. */
  members(items: readonly object[], before: number): string;
  close(count: number): string;
}

async function styleOf(format: Format): Promise<Style> {
  if (format.isYaml) {
    const { stringify } = await import('yaml');
    const write = (value: object) => stringify(value, { aliasDuplicateObjects: false });
    return {
      open: (head, member) => `${write(head)}${member}:`,
      members: (items, before) => `${before === 0 ? '\n' : ''}${write(items as object[])}`,
      close: (count) => (count === 0 ? ' []\n' : ''),
    };
  }
  return format.isPretty ? pretty : plain;
}

const plain: Style = {
  open: (head, member) => `${JSON.stringify(head).slice(0, -1)},${JSON.stringify(member)}:[`,
  members(items, before) {
    const text = items.map(jsonOf).join(',');
    return before === 0 ? text : `,${text}`;
  },
  close: () => ']}\n',
};

/** Line ends inside of texts are escaped in JSON, so those that are there are the layout's. */
const indented = (value: object) => JSON.stringify(value, null, 2).replaceAll('\n', '\n    ');

const pretty: Style = {
  open: (head, member) => `${JSON.stringify(head, null, 2).slice(0, -2)},\n  ${JSON.stringify(member)}: [`,
  members: (items, before) =>
    items.map((item, index) => `${before + index === 0 ? '' : ','}\n    ${indented(item)}`).join(''),
  close: (count) => (count === 0 ? ']\n}\n' : '\n  ]\n}\n'),
};
