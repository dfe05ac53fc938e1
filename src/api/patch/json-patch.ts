import { StatusError } from '../../base/errors.ts';
import { isEqualJson } from '../equal.ts';
import { cannotUnmarshal } from '../go-json.ts';
import { parsePointer } from './json-pointer.ts';

/** Kubernetes has the same bound. */
export const jsonPatchOperationsMax = 10_000;
/** A small patch can copy a value into itself again and again: all copies together, in characters. */
export const jsonPatchCopiedLengthMax = 3 * 1024 * 1024;

interface Operation {
  op: string;
  path: string[];
  from: string[];
  value: unknown;
  text: string;
}

/**
 * The object after an RFC 6902 patch; the given one stays as it is. Throws BadRequest for what is no JSON patch and
 * Invalid for one that does not fit the object, such as a failed test.
 */
export function jsonPatch<T extends object>(object: T, patch: unknown): T {
  if (patch === null) return structuredClone(object);
  if (!Array.isArray(patch)) throw badPatch(cannotUnmarshal(patch, '[]handlers.jsonPatchOp'));
  if (patch.length > jsonPatchOperationsMax) {
    throw new StatusError(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${jsonPatchOperationsMax}, got ${patch.length}`,
    );
  }
  const operations = patch.map(decodeOperation);
  const budget = { length: jsonPatchCopiedLengthMax };
  // The root sits in a holder, so that replacing it is no special case.
  const holder = { root: structuredClone(object) as unknown };
  for (const operation of operations) apply(holder, operation, budget);
  if (typeof holder.root !== 'object' || holder.root === null) throw badPatch('the patch leaves no object');
  return holder.root as T;
}

function decodeOperation(operation: unknown, index: number): Operation {
  if (typeof operation !== 'object' || Array.isArray(operation)) {
    throw badPatch(cannotUnmarshal(operation, 'handlers.jsonPatchOp'));
  }
  const { op, path, from, value } = (operation ?? {}) as Record<string, unknown>;
  const text = `operation ${index} (${op} ${path})`;
  const pointer = typeof path === 'string' ? parsePointer(path) : undefined;
  if (!pointer)
    throw badPatch(`operation ${index} needs a "path" that is a JSON pointer, got ${JSON.stringify(path)}`);
  if (!['add', 'remove', 'replace', 'move', 'copy', 'test'].includes(op as string)) {
    throw badPatch(
      `operation ${index} has "op" ${JSON.stringify(op)}; expected add, remove, replace, move, copy or test`,
    );
  }
  const source = typeof from === 'string' ? parsePointer(from) : undefined;
  if ((op === 'move' || op === 'copy') && !source)
    throw badPatch(`${text} needs a "from" that is a JSON pointer`);
  if ((op === 'add' || op === 'replace') && value === undefined) throw badPatch(`${text} needs a "value"`);
  return { op: op as string, path: pointer, from: source ?? [], value, text };
}

function apply(holder: { root: unknown }, operation: Operation, budget: { length: number }): void {
  const { op, path, from, text } = operation;
  const value = operation.value ?? null;
  switch (op) {
    case 'add':
      insert(holder, path, structuredClone(value), text);
      return;
    case 'remove':
      remove(holder, path, text);
      return;
    case 'replace':
      read(holder, path, text);
      write(holder, path, structuredClone(value), text);
      return;
    case 'copy': {
      const copied = read(holder, from, text);
      budget.length -= lengthOf(copied);
      if (budget.length < 0) {
        throw new StatusError(
          'RequestEntityTooLarge',
          `${text} makes the object too large: it copies too much`,
        );
      }
      insert(holder, path, structuredClone(copied), text);
      return;
    }
    case 'move':
      if (path.length > from.length && from.every((segment, index) => segment === path[index])) {
        throw doesNotFit(text, 'a value cannot be moved into itself');
      }
      insert(holder, path, remove(holder, from, text), text);
      return;
    default:
      if (!isEqualJson(read(holder, path, text), value))
        throw doesNotFit(text, 'the value is another: test failed');
  }
}

type Container = Record<string, unknown> | unknown[];

function parentOf(holder: { root: unknown }, path: string[], text: string): [Container, string] {
  const segments = ['root', ...path];
  let parent: unknown = holder;
  for (const segment of segments.slice(0, -1)) parent = memberOf(parent, segment, text);
  if (typeof parent !== 'object' || parent === null)
    throw doesNotFit(text, 'the path leads through a plain value');
  return [parent as Container, segments.at(-1)!];
}

function memberOf(parent: unknown, segment: string, text: string): unknown {
  if (Array.isArray(parent)) return parent[indexIn(parent, segment, parent.length - 1, text)];
  if (typeof parent === 'object' && parent !== null && Object.hasOwn(parent, segment)) {
    return (parent as Record<string, unknown>)[segment];
  }
  throw doesNotFit(text, `there is no ${JSON.stringify(segment)}: missing path`);
}

function indexIn(list: unknown[], segment: string, last: number, text: string): number {
  if (!/^(0|[1-9]\d*)$/.test(segment) || Number(segment) > last) {
    throw doesNotFit(text, `the index ${segment} is outside a list of ${list.length}`);
  }
  return Number(segment);
}

function read(holder: { root: unknown }, path: string[], text: string): unknown {
  const [parent, last] = parentOf(holder, path, text);
  return memberOf(parent, last, text);
}

function insert(holder: { root: unknown }, path: string[], value: unknown, text: string): void {
  const [parent, last] = parentOf(holder, path, text);
  if (!Array.isArray(parent)) setMember(parent, last, value);
  else parent.splice(last === '-' ? parent.length : indexIn(parent, last, parent.length, text), 0, value);
}

function write(holder: { root: unknown }, path: string[], value: unknown, text: string): void {
  const [parent, last] = parentOf(holder, path, text);
  if (Array.isArray(parent)) parent[indexIn(parent, last, parent.length - 1, text)] = value;
  else setMember(parent, last, value);
}

// Plain assignment to `__proto__` would change the prototype instead.
function setMember(parent: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(parent, name, { value, writable: true, enumerable: true, configurable: true });
}

function remove(holder: { root: unknown }, path: string[], text: string): unknown {
  const [parent, last] = parentOf(holder, path, text);
  const removed = memberOf(parent, last, text);
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return removed;
}

function lengthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return String(value).length;
  return Object.entries(value).reduce((sum, [name, item]) => sum + name.length + lengthOf(item), 1);
}

function badPatch(why: string): StatusError {
  return new StatusError('BadRequest', `error decoding patch: ${why}`);
}

function doesNotFit(operation: string, why: string): StatusError {
  return new StatusError(
    'Invalid',
    `the server rejected our request due to an error in our request: ${operation}: ${why}`,
  );
}
