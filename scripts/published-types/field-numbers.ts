import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** By package and message: the fields by number, `*` behind those that are pointers in Go, `@` before inlined messages. */
export type Messages = Map<string, Map<string, Map<number, string>>>;

/** Where the Go types of a package of the API are: module and folder. */
function folderOf(packageName: string): [string, string] | undefined {
  const parts = packageName.split('.');
  const version = parts.at(-1)!;
  if (parts[0] === 'api') return ['api', `${parts[1]}/${version}`];
  if (packageName === 'apimachinery.pkg.apis.meta.v1') return ['apimachinery', 'pkg/apis/meta/v1'];
  if (parts[0] === 'kube-aggregator') return ['kube-aggregator', `pkg/apis/apiregistration/${version}`];
  if (parts[0] === 'apiextensions-apiserver')
    return ['apiextensions-apiserver', `pkg/apis/apiextensions/${version}`];
  return undefined;
}

/** Reads the protobuf tags of the Go types of all packages that the definitions are of. */
export function readMessages(
  inModule: (name: string, path: string) => string,
  definitions: readonly string[],
): Messages {
  const messages: Messages = new Map();
  for (const name of new Set(definitions.map((one) => one.slice(0, one.lastIndexOf('.'))))) {
    const at = folderOf(name);
    if (!at) continue;
    const folder = inModule(...at);
    const sources = readdirSync(folder).filter(
      (file) => /^types.*\.go$/.test(file) && !/swagger_doc/.test(file),
    );
    const found = new Map<string, Map<number, string>>();
    for (const file of sources) readStructs(readFileSync(join(folder, file), 'utf8'), found);
    messages.set(`io.k8s.${name}`, found);
  }
  return messages;
}

function readStructs(source: string, into: Map<string, Map<number, string>>): void {
  for (const [, name, body] of source.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
    const fields = new Map<number, string>();
    for (const line of body!.split('\n')) {
      const tag = /^\s*(.*?)\s*`(.*)`/.exec(line);
      const number = /protobuf:"\w+,(\d+),/.exec(tag?.[2] ?? '')?.[1];
      if (!tag || number === undefined) continue;
      const [, declared, tags] = tag;
      const [jsonName, ...options] = (/json:"([^"]*)"/.exec(tags!)?.[1] ?? '').split(',');
      const [field, type] = declared!.split(/\s+/);
      if (options.includes('inline') || jsonName === '')
        fields.set(Number(number), `@${(type ?? field)!.replace(/^.*\./, '')}`);
      else fields.set(Number(number), `${jsonName}${(type ?? '').startsWith('*') ? '*' : ''}`);
    }
    if (fields.size > 0) into.set(name!, fields);
  }
}

/** The module that the server reads them from. */
export function writeFieldNumbers(messages: Messages): string {
  const packages = [...messages].sort(byName).map(([name, found]) => {
    const lines = [...found].sort(byName).map(([message, fields]) => `    ${message}:${textOf(fields)},`);
    return `  '${name}': {\n${lines.join('\n')}\n  },`;
  });
  return `${head}${packages.join('\n')}\n};\n`;
}

const head = `/**
 * The field numbers of Kubernetes 1.32's protobuf messages, by package and message: names in ascending order of number,
 * with the number said where it does not follow its predecessor's. \`*\` is a pointer in Go, so that a zero was meant;
 * \`@Message\` is a message whose fields appear inlined in JSON. Made by scripts/published-types.ts from the tags of
 * Kubernetes' types.
 */
export const fieldNumbers: Record<string, Record<string, string>> = {
`;

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

const lineMax = 110;

function textOf(fields: Map<number, string>): string {
  let previous = 0;
  const tokens = [...fields]
    .sort(([a], [b]) => a - b)
    .map(([number, name]) => {
      const token = number === previous + 1 ? name : `${number}:${name}`;
      previous = number;
      return token;
    });
  const text = `'${tokens.join(' ')}'`;
  return text.length > lineMax - 40 ? `\n      ${text}` : ` ${text}`;
}
