import { StatusError } from '../../base/errors.ts';
import { clone } from '../clone.ts';
import { checkType, type DecodeOptions, decodePart, strictErrorsMax } from '../decode.ts';
import type { KindDefinition } from '../kind.ts';
import { apiVersionOf, type KubeObject } from '../object.ts';
import { objectMeta } from '../parts/meta.ts';
import { dropNulls } from './default.ts';
import type { Fields, JsonSchema } from './json-schema.ts';
import { prune } from './prune.ts';

/** Turns parsed JSON into a custom resource: unknown fields, and nulls where none may be, are dropped. */
export function decodeCustom(
  kind: KindDefinition,
  schema: JsonSchema,
  value: unknown,
  { fieldValidation = 'Warn', duplicates = [] }: DecodeOptions,
): { object: KubeObject; warnings: string[] } {
  checkType(kind, value);
  for (const name of ['kind', 'apiVersion'] as const) {
    if ((value as KubeObject)[name]) continue;
    const what = name === 'kind' ? 'Kind' : name;
    throw new StatusError('BadRequest', `Object '${what}' is missing in '${JSON.stringify(value)}'`);
  }
  const fail = (why: string): never => {
    const text = `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${why}`;
    throw new StatusError('BadRequest', text);
  };
  const unknown: string[] = [];
  const metadata = decodePart(objectMeta, (value as KubeObject).metadata ?? {}, {
    struct: 'ObjectMeta',
    go: 'metadata',
    at: 'metadata',
    fail,
    unknown: (path) => unknown.push(path),
  });
  const pruned = prune(schema, clone(value) as Fields, (path) => unknown.push(path));
  dropNulls(schema, pruned);
  const found = [
    ...duplicates.map((path) => `duplicate field "${path}"`),
    ...unknown.sort().map((path) => `unknown field "${path}"`),
  ];
  const strict = [...new Set(found)].slice(0, strictErrorsMax);
  if (fieldValidation === 'Strict' && strict.length > 0) fail(`strict decoding error: ${strict.join(', ')}`);
  const object = { ...pruned, metadata, apiVersion: apiVersionOf(kind), kind: kind.kind } as KubeObject;
  return { object, warnings: fieldValidation === 'Ignore' ? [] : strict };
}
