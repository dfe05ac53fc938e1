import assert from 'node:assert/strict';
import { equal } from './equal.ts';
import { parseDuration, parseTimestamp } from './functions/time.ts';
import { compile } from './index.ts';
import { type CelType, dynType, formatType, intType, listOf, mapOf } from './types.ts';
import { PlainList, PlainMap, TypeValue, Uint, type Value } from './values.ts';

interface VectorValue {
  int64Value?: string;
  uint64Value?: string;
  doubleValue?: number | string;
  stringValue?: string;
  bytesValue?: string;
  boolValue?: boolean;
  nullValue?: null;
  typeValue?: string;
  listValue?: { values?: VectorValue[] };
  mapValue?: { entries?: { key: VectorValue; value: VectorValue }[] };
  objectValue?: { '@type': string; value?: unknown };
}

/** One test of `@bufbuild/cel-spec`, in protobuf's JSON. */
export interface Vector {
  original: {
    name?: string;
    expr: string;
    value?: VectorValue;
    evalError?: unknown;
    bindings?: Record<string, { value: VectorValue }>;
    typeEnv?: { name: string; ident?: { type: VectorType } }[];
    disableCheck?: boolean;
    checkOnly?: boolean;
    container?: string;
    typedResult?: { result?: VectorValue; deducedType?: VectorType };
  };
  ast?: string;
  checkedAst?: string;
  error?: string;
}

type VectorType = Record<string, unknown>;

export interface Suite {
  name: string;
  suites?: Suite[];
  tests?: Vector[];
}

export function* vectorsOf(suite: Suite, at = ''): Generator<{ path: string; vector: Vector }> {
  const path = at === '' ? suite.name : `${at}/${suite.name}`;
  for (const vector of suite.tests ?? [])
    yield { path: `${path}/${vector.original.name ?? vector.original.expr}`, vector };
  for (const inner of suite.suites ?? []) yield* vectorsOf(inner, path);
}

/** Throws where the vector's expression does not do what it should. */
export function checkVector({ original }: Vector): void {
  const variables: Record<string, CelType> = {};
  for (const { name, ident } of original.typeEnv ?? []) variables[name] = readType(ident?.type ?? {});
  for (const name of Object.keys(original.bindings ?? {})) variables[name] ??= dynType;
  const bindings = Object.fromEntries(
    Object.entries(original.bindings ?? {}).map(([name, { value }]) => [name, readValue(value)]),
  );
  const run = () => {
    const program = compile(original.expr, {
      variables,
      isHeterogeneous: true,
      costLimit: Number.POSITIVE_INFINITY,
    });
    const { deducedType } = original.typedResult ?? {};
    if (deducedType) assert.equal(formatType(program.type), formatType(readType(deducedType)));
    return original.checkOnly ? undefined : program.evaluateValue(bindings);
  };
  if (original.evalError !== undefined) {
    assert.throws(run);
    return;
  }
  const result = run();
  if (original.checkOnly) return;
  const expected = readValue(original.value ?? original.typedResult?.result ?? { boolValue: true });
  assert.ok(result !== undefined && same(result, expected), `gave ${show(result)}, not ${show(expected)}`);
}

const show = (value: unknown) =>
  JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}n` : each)) ?? 'nothing';

const same = (a: Value, b: Value) =>
  (typeof a === typeof b && equal(a, b)) || (Number.isNaN(a as number) && Number.isNaN(b as number));

function readValue(value: VectorValue): Value {
  if (value.int64Value !== undefined) return BigInt(value.int64Value);
  if (value.uint64Value !== undefined) return new Uint(BigInt(value.uint64Value));
  if (value.doubleValue !== undefined) return Number(value.doubleValue);
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.bytesValue !== undefined) return Buffer.from(value.bytesValue, 'base64');
  if (value.boolValue !== undefined) return value.boolValue;
  if (value.nullValue !== undefined) return null;
  if (value.typeValue !== undefined) return new TypeValue(value.typeValue);
  if (value.listValue) return new PlainList((value.listValue.values ?? []).map(readValue));
  if (value.mapValue) {
    return new PlainMap(
      (value.mapValue.entries ?? []).map((each) => [readValue(each.key), readValue(each.value)] as const),
    );
  }
  const { '@type': kind, value: content } = value.objectValue ?? { '@type': 'nothing' };
  if (kind.endsWith('google.protobuf.Duration')) return parseDuration(content as string);
  if (kind.endsWith('google.protobuf.Timestamp')) return parseTimestamp(content as string);
  throw new Error(`${kind} is a message`);
}

function readType(type: VectorType): CelType {
  if (typeof type.primitive === 'string') {
    const kind = { INT64: 'int', UINT64: 'uint' }[type.primitive] ?? type.primitive.toLowerCase();
    return { kind } as CelType;
  }
  if (type.listType) return listOf(readType((type.listType as { elemType: VectorType }).elemType));
  if (type.mapType) {
    const { keyType, valueType } = type.mapType as { keyType: VectorType; valueType: VectorType };
    return mapOf(readType(keyType), readType(valueType));
  }
  if (type.wellKnown) {
    const kind = (type.wellKnown as string).toLowerCase();
    return { kind: kind === 'any' ? 'dyn' : kind } as CelType;
  }
  if (type.null !== undefined) return { kind: 'null' };
  if (type.dyn !== undefined) return dynType;
  if (type.type) return { kind: 'type', of: readType(type.type as VectorType) };
  if (type.abstractType) {
    const { name, parameterTypes = [] } = type.abstractType as {
      name: string;
      parameterTypes?: VectorType[];
    };
    return { kind: 'opaque', name, parameters: parameterTypes.map(readType) };
  }
  if (type.wrapper) return { kind: 'wrapper', of: readType({ primitive: type.wrapper }) };
  const known = { 'google.protobuf.Duration': 'duration', 'google.protobuf.Timestamp': 'timestamp' }[
    type.messageType as string
  ];
  if (known) return { kind: known } as CelType;
  if (type.messageType) return { kind: 'object', name: type.messageType as string, fields: new Map() };
  return intType;
}
