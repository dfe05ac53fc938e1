import { duplicateFields } from '../api/duplicate-fields.ts';
import { messageOf, StatusError } from '../base/errors.ts';
import type { ApiRequest } from '../client/transport.ts';
import { badRequest } from './failures.ts';

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

const protobufType = 'application/vnd.kubernetes.protobuf';
const jsonTypes = [
  'application/json',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];

/** Parses a body of JSON, YAML or Kubernetes' protobuf; throws UnsupportedMediaType, or BadRequest in kubectl's words. */
export async function parseBody(bytes: Buffer, contentType: string | undefined): Promise<ParsedBody> {
  // Clients without a content type (curl -d) are taken to send what everybody sends.
  const type = (contentType || 'application/json').split(';')[0]!.trim().toLowerCase();
  if (type === protobufType) {
    const { decodeProtobufBody } = await import('./protobuf/decode-body.ts');
    return { value: decodeProtobufBody(bytes), duplicates: [] };
  }
  const text = bytes.toString('utf8');
  // JSON is YAML too, and kubectl applies JSON: the YAML parser is loaded only for what needs it.
  const isYaml = type === 'application/yaml' || type === 'application/apply-patch+yaml';
  if (isYaml) return parseJsonObject(text) ?? parseYaml(text);
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
    throw badRequest(`couldn't get version/kind; json parse error: ${messageOf(error)}`, error);
  }
  checkDepth(value);
  return { value, duplicates: duplicateFields(text) };
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
  checkDepth(value);
  return { value, duplicates: duplicateFields(text) };
}

async function parseYaml(text: string): Promise<ParsedBody> {
  const { parseDocument } = await import('yaml');
  // uniqueKeys would make a duplicate an error; here it is a warning, or an error where the client asks for that.
  const document = parseDocument(text, { uniqueKeys: false, maxAliasCount: 100 } as object);
  const [error] = document.errors;
  if (error) throw badRequest(`error converting YAML to JSON: yaml: ${error.message}`, error);
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  checkDepth(value);
  return { value, duplicates: [] };
}

function checkDepth(value: unknown): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > depthMax) throw badRequest(`the body nests deeper than ${depthMax} levels`);
    const next: unknown[] = [];
    for (const item of level) {
      if (typeof item === 'object' && item !== null) for (const child of childrenOf(item)) next.push(child);
    }
    level = next;
  }
}

function childrenOf(item: object): unknown[] {
  return (Array.isArray(item) ? item : Object.values(item)).filter(
    (child) => typeof child === 'object' && child !== null,
  );
}
