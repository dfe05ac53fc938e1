import { StatusError } from '../base/errors.ts';
import type { KindDefinition } from './kind.ts';
import type { KubeObject } from './object.ts';

/**
 * A test of an object's fields, from a query text such as `spec.nodeName=n1,status.phase!=Failed`.
 * A field that the kind does not offer, or text that cannot be parsed, throws BadRequest.
 */
export function fieldSelector<T extends KubeObject>(
  kind: KindDefinition<T>,
  text: string,
): (object: T) => boolean {
  const terms = splitTerms(text).map((term) => {
    const match = /^([^=!]+)(!=|==|=)((?:[^=!\\]|\\.)*)$/s.exec(term);
    if (!match) {
      throw new StatusError('BadRequest', `invalid selector: '${text}'; can't understand '${term}'`);
    }
    return {
      read: reader(kind, match[1]!),
      equal: match[2] !== '!=',
      value: match[3]!.replace(/\\(.)/gs, '$1'),
    };
  });
  return (object) => terms.every(({ read, equal, value }) => (read(object) === value) === equal);
}

/** A field of the kind's own that the selector demands a value of, and that value. */
export function demandedField<T extends KubeObject>(
  kind: KindDefinition<T>,
  text: string,
): { read: (object: T) => string; value: string } | undefined {
  for (const term of splitTerms(text)) {
    const [, field = '', value = ''] = /^([^=!]+)==?([^=!\\]*)$/.exec(term) ?? [];
    const read = kind.selectableFields[field];
    if (read) return { read, value };
  }
  return undefined;
}

/** The name that the selector demands, if it does: such a list or watch is about one object. */
export function selectedName(text: string): string | undefined {
  const names = splitTerms(text).flatMap((term) => /^metadata\.name==?([^=!\\]+)$/.exec(term)?.[1] ?? []);
  return names[0];
}

function reader<T extends KubeObject>(kind: KindDefinition<T>, field: string): (object: T) => string {
  if (field === 'metadata.name') return (object) => object.metadata?.name ?? '';
  if (field === 'metadata.namespace' && kind.namespaced) return (object) => object.metadata?.namespace ?? '';
  const read = kind.selectableFields[field];
  if (read) return read;
  throw new StatusError('BadRequest', notSupported(kind, field));
}

/** Kinds without fields of their own share another text. */
function notSupported(kind: KindDefinition, field: string): string {
  if (kind.kind === 'Job') return `field label "${field}" not supported for Job`;
  if (Object.keys(kind.selectableFields).length > 0) return `field label not supported: ${field}`;
  return `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`;
}

// A comma or backslash in a value is written with a backslash before it.
function splitTerms(text: string): string[] {
  return (text.match(/(?:[^,\\]|\\.)+/gs) ?? []).filter((term) => term !== '');
}
