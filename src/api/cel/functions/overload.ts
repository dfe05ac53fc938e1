import type { CelType } from '../types.ts';
import type { Value } from '../values.ts';

/** One signature of a function, what it does and what it costs. */
export interface Overload {
  /** cel-go's identifier, by which costs are looked up. */
  readonly id: string;
  /** Of a member function the receiver comes first. */
  readonly parameters: readonly CelType[];
  readonly result: CelType;
  readonly isMember: boolean;
  /** Gets values of the declared types; throws CelError. */
  call(...args: Value[]): Value;
}

/** Functions by name, each with its signatures. */
export type Library = ReadonlyMap<string, readonly Overload[]>;

type Declared = readonly [name: string, overload: Overload];

// The declared parameter types say what the values are, which TypeScript cannot see.
// biome-ignore lint/suspicious/noExplicitAny: as said.
type Call = (...args: any[]) => Value;

export function globalFunction(
  name: string,
  id: string,
  parameters: readonly CelType[],
  result: CelType,
  call: Call,
): Declared {
  return [name, { id, parameters, result, isMember: false, call }];
}

export function memberFunction(
  name: string,
  id: string,
  parameters: readonly CelType[],
  result: CelType,
  call: Call,
): Declared {
  return [name, { id, parameters, result, isMember: true, call }];
}

export function library(...declared: readonly Declared[]): Library {
  return joinLibraries(declared.map(([name, overload]) => new Map([[name, [overload]]])));
}

export function joinLibraries(libraries: readonly Library[]): Library {
  const all = new Map<string, Overload[]>();
  for (const each of libraries) {
    for (const [name, overloads] of each) {
      const known = all.get(name) ?? [];
      known.push(...overloads);
      all.set(name, known);
    }
  }
  return all;
}
