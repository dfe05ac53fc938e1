import type { WatchEvent } from '../../client/transport.ts';

/** A list longer than this is encoded in steps, so that other requests get their turn in between. */
const itemsPerStep = 200;
/** How many of the newest objects keep their JSON: what many watchers are sent is encoded once. */
const keptMax = 64;
const keptCharactersMax = 64 * 1024;
const kept = new Map<object, string>();

/** One line of a watch. */
export function encodeEvent({ type, object }: WatchEvent): string {
  let json = kept.get(object);
  if (json === undefined) {
    json = JSON.stringify(object);
    if (json.length <= keptCharactersMax) kept.set(object, json);
    if (kept.size > keptMax) kept.delete(kept.keys().next().value!);
  }
  return `{"type":"${type}","object":${json}}\n`;
}

/** An answer as JSON, or as YAML where the client asked for that. */
export async function encodeObject(
  object: unknown,
  options: { isYaml: boolean; isPretty: boolean },
): Promise<Buffer> {
  if (options.isYaml) {
    const { stringify } = await import('yaml');
    return Buffer.from(stringify(object, { aliasDuplicateObjects: false }));
  }
  if (options.isPretty) return Buffer.from(`${JSON.stringify(object, null, 2)}\n`);
  const long = longMember(object);
  return long ? encodeInSteps(object as object, long) : Buffer.from(`${JSON.stringify(object)}\n`);
}

/** The name of an answer's long list, if it has one: `items` of a List, `rows` of a Table. */
function longMember(object: unknown): string | undefined {
  return ['items', 'rows'].find((name) => {
    const list = (object as Record<string, unknown> | null)?.[name];
    return Array.isArray(list) && list.length > itemsPerStep;
  });
}

async function encodeInSteps(object: object, name: string): Promise<Buffer> {
  const { [name]: list, ...rest } = object as Record<string, unknown>;
  const items = list as unknown[];
  const head = JSON.stringify(rest);
  const parts = [Buffer.from(`${head.slice(0, -1)}${head === '{}' ? '' : ','}${JSON.stringify(name)}:[`)];
  for (let from = 0; from < items.length; from += itemsPerStep) {
    const json = JSON.stringify(items.slice(from, from + itemsPerStep)).slice(1, -1);
    parts.push(Buffer.from(from === 0 ? json : `,${json}`));
    await new Promise((resolve) => setImmediate(resolve));
  }
  parts.push(Buffer.from(']}\n'));
  return Buffer.concat(parts);
}
