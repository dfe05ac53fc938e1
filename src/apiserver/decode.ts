import { decode } from '../api/decode.ts';
import type { KubeObject } from '../api/object.ts';
import { type ParsedBody, parsedBody } from './body.ts';
import type { Call } from './context.ts';
import type { FieldValidation } from './options.ts';

/** Decodes a whole object of the call's kind from a body or a patch's result; what is odd about it becomes warnings. */
export function readObject(call: Call, value: unknown, fieldValidation: FieldValidation): KubeObject {
  const { duplicates }: Pick<ParsedBody, 'duplicates'> = parsedBody.get(call.request) ?? { duplicates: [] };
  const { object, warnings } = decode(call.resource.kind, value, { fieldValidation, duplicates });
  call.warnings.push(...warnings.filter((warning) => !call.warnings.includes(warning)));
  return object;
}
