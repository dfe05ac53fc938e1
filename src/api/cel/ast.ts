import type { Overload } from './functions/overload.ts';
import type { CelType } from './types.ts';
import type { Value } from './values.ts';

interface Node {
  /** Where cel-go would point: an operator, the parenthesis of a call, the dot of a selection. */
  readonly offset: number;
  /** Set by the checker. */
  type?: CelType;
}

export interface Literal extends Node {
  readonly kind: 'literal';
  readonly value: Value;
}
export interface Ident extends Node {
  readonly kind: 'ident';
  readonly name: string;
  /** A type's name, such as `int`, or a constant. */
  constant?: Value;
}
export interface Select extends Node {
  readonly kind: 'select';
  readonly operand: Expr;
  readonly field: string;
  /** `has(operand.field)` */
  readonly testOnly: boolean;
  /** The selection is a qualified name, such as `google.protobuf.Duration` or a variable with dots. */
  qualified?: Ident;
}
export interface Call extends Node {
  readonly kind: 'call';
  readonly name: string;
  readonly target?: Expr | undefined;
  readonly args: Expr[];
  /** Candidates, set by the checker. */
  overloads?: readonly Overload[];
  /** `target` is only a part of the function's name, as in `optional.of(x)`. */
  isQualified?: boolean;
  /** The function's whole name. */
  functionName?: string;
}
export interface ListExpr extends Node {
  readonly kind: 'list';
  readonly items: Expr[];
  /** Indexes of `?item`. */
  readonly optional: ReadonlySet<number>;
}
export interface MapEntry {
  readonly key: Expr;
  readonly value: Expr;
  readonly optional: boolean;
}
export interface MapExpr extends Node {
  readonly kind: 'map';
  readonly entries: MapEntry[];
}
export interface StructExpr extends Node {
  readonly kind: 'struct';
  readonly name: string;
  readonly fields: { name: string; value: Expr; optional: boolean; offset: number }[];
}
/** What a macro such as `all` becomes: a fold with an accumulator. */
export interface Fold extends Node {
  readonly kind: 'fold';
  readonly range: Expr;
  readonly variable: string;
  readonly variable2?: string | undefined;
  readonly accumulator: string;
  readonly initial: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

export type Expr = Literal | Ident | Select | Call | ListExpr | MapExpr | StructExpr | Fold;

/** `a.b.c` as a text, if the expression is nothing else. */
export function qualifiedName(expr: Expr): string | undefined {
  if (expr.kind === 'ident') return expr.name;
  if (expr.kind !== 'select' || expr.testOnly) return undefined;
  const of = qualifiedName(expr.operand);
  return of === undefined ? undefined : `${of}.${expr.field}`;
}
