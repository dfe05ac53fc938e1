import { duplicateFields, membersIn } from '../api/duplicate-fields.ts';
import { messageOf, StatusError } from '../base/errors.ts';
import type { ApiRequest } from '../client/transport.ts';
import { badRequest, unsupportedMediaType } from './failures.ts';

/** A request's body, at most; Kubernetes' own bound. */
export const bodyBytesMax = 3 * 1024 * 1024;
/** How deep objects and lists may nest; Kubernetes' types need less than 100, its decoder stops at 10,000. */
export const depthMax = 500;

export interface ParsedBody {
  value: unknown;
  /** Members that occur twice in the text. */
  duplicates: readonly string[];
}

/** What was odd in the text of a request's body; only requests that came as text are here. */
export const parsedBody = new WeakMap<ApiRequest, ParsedBody>();

/** Bodies that could not be read. Who may ask at all is settled before it is said, and what for decides how. */
const unreadable = new WeakMap<ApiRequest, { why: string; bytes: Buffer; isYaml: boolean }>();

/** Throws BadRequest in Kubernetes' words where the body of a request for objects of `kind` could not be read. */
export function checkReadable(request: ApiRequest, kind: string): void {
  const found = unreadable.get(request);
  if (!found) return;
  const { why, bytes, isYaml } = found;
  if (request.method === 'PATCH') throw badRequest(`error decoding ${isYaml ? 'YAML' : 'patch'}: ${why}`);
  const what = isYaml ? why : `couldn't get version/kind; json parse error: ${why}`;
  throw badRequest(
    `the object provided is unrecognized (must be of type ${kind}): ${what} (${summaryOf(bytes)})`,
  );
}

const summaryBytes = 30;

/** The beginning of a body: as it is where it may be JSON, else in hexadecimal. */
function summaryOf(bytes: Buffer): string {
  const shown = bytes.subarray(0, summaryBytes);
  const text = shown[0] === 0x7b ? shown.toString('utf8') : shown.toString('hex');
  return bytes.length > summaryBytes ? `${text} ...` : text;
}

/** Parses what came as the body of a request into it. */
export async function takeBody(request: ApiRequest, bytes: Buffer): Promise<void> {
  const type = mediaTypeOf(request);
  if (request.method === 'PATCH' && !patchTypes.includes(type)) throw unsupportedMediaType();
  try {
    const body = await parseBody(bytes, type);
    request.body = body.value;
    parsedBody.set(request, body);
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    unreadable.set(request, { why: error.message, bytes, isYaml: yamlTypes.includes(type) });
  }
}

class UnreadableError extends Error {}

// Clients without a content type (curl -d) are taken to send what everybody sends.
const mediaTypeOf = ({ headers }: ApiRequest) =>
  (headers['content-type'] || 'application/json').split(';')[0]!.trim().toLowerCase();

const protobufType = 'application/vnd.kubernetes.protobuf';
const yamlTypes = ['application/yaml', 'application/apply-patch+yaml'];
const jsonPatchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];
const patchTypes = [...jsonPatchTypes, 'application/apply-patch+yaml'];
const jsonTypes = ['application/json', ...jsonPatchTypes];

/** Parses a body of JSON, YAML or Kubernetes' protobuf; throws UnsupportedMediaType, or UnreadableError in Go's words. */
async function parseBody(bytes: Buffer, type: string): Promise<ParsedBody> {
  if (type === protobufType) {
    const { decodeProtobufBody } = await import('./protobuf/decode-body.ts');
    return { value: decodeProtobufBody(bytes), duplicates: [] };
  }
  const text = bytes.toString('utf8');
  // JSON is YAML too, and kubectl applies JSON: the YAML parser is loaded only for what needs it.
  if (yamlTypes.includes(type)) return parseJsonObject(text) ?? parseYaml(text);
  if (!jsonTypes.includes(type) && type !== 'application/x-www-form-urlencoded') {
    throw new StatusError(
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, ${protobufType}`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UnreadableError(goSyntaxError(text, messageOf(error)), { cause: error });
  }
  // Go reads null as an object without fields.
  return { value: value ?? {}, duplicates: duplicatesIn(text, value) };
}

/** What Go says of a text that is no JSON, from what JavaScript says of it. */
function goSyntaxError(text: string, said: string): string {
  const position = Number(/at position (\d+)/.exec(said)?.[1] ?? text.search(/\S/));
  if (/end of JSON input/i.test(said) || position < 0 || position >= text.trimEnd().length)
    return 'unexpected end of JSON input';
  const place = /property name/.test(said) ? 'object key string' : 'value';
  return `invalid character '${text[position]}' looking for beginning of ${place}`;
}

/** Undefined for what is no JSON object. */
function parseJsonObject(text: string): ParsedBody | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return { value, duplicates: duplicatesIn(text, value) };
}

/** Nearly always there are none, which their number tells. */
function duplicatesIn(text: string, value: unknown): readonly string[] {
  return membersIn(text) === checkDepth(value) ? [] : duplicateFields(text);
}

async function parseYaml(text: string): Promise<ParsedBody> {
  const { parseDocument, visit, isPair, isSeq } = await import('yaml');
  // uniqueKeys would make a duplicate an error; here it is a warning, or an error where the client asks for that.
  const document = parseDocument(text, { uniqueKeys: false, maxAliasCount: 100 } as object);
  const [error] = document.errors;
  if (error) {
    const line = error.linePos?.[0].line ?? 1;
    const what = error.message.split(' at line ')[0]!;
    throw new UnreadableError(`error converting YAML to JSON: yaml: line ${line}: ${what}`, { cause: error });
  }
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  checkDepth(value);
  const duplicates: string[] = [];
  visit(document, {
    Map(_key, { items }, above) {
      const names = items.map(({ key }) => String(key));
      const again = names.find((name, index) => names.indexOf(name) < index);
      if (again === undefined) return;
      const path = above.map((node, index) => {
        if (isSeq(node)) return `[${node.items.indexOf(above[index + 1] ?? items)}]`;
        return isPair(node) ? `.${node.key}` : '';
      });
      duplicates.push(`${path.join('')}.${again}`.slice(1));
    },
  });
  return { value, duplicates };
}

/** Answers how many members all its objects have. */
function checkDepth(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth > depthMax) throw badRequest(`the body nests deeper than ${depthMax} levels`);
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += checkDepth(item, depth + 1);
    return members;
  }
  for (const name of Object.keys(value)) {
    members += 1 + checkDepth((value as Record<string, unknown>)[name], depth + 1);
  }
  return members;
}
