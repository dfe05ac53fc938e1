import type { Call, Expr, Ident, ListExpr, MapExpr, Select } from './ast.ts';
import { conversionNames } from './functions/conversions.ts';
import type { Overload } from './functions/overload.ts';
import { planFold } from './plan-fold.ts';
import { Run, type Step } from './run.ts';
import { costOfCall, listCost, mapCost } from './runtime-cost.ts';
import { CelError } from './source.ts';
import type { CelType } from './types.ts';
import {
  CelList,
  CelMap,
  CelObject,
  CelOptional,
  Duration,
  noneOptional,
  OpaqueValue,
  PlainList,
  PlainMap,
  showKey,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from './values.ts';

/** Where the variables of folds are kept, by name, and the first place that is free. */
export interface Slots {
  readonly names: ReadonlyMap<string, number>;
  readonly next: number;
}

const noSlots: Slots = { names: new Map(), next: 0 };

/** Turns a checked expression into closures that charge what cel-go would. */
export function plan(expr: Expr, slots: Slots = noSlots): Step {
  switch (expr.kind) {
    case 'literal': {
      const { value } = expr;
      return () => value;
    }
    case 'ident':
    case 'select':
      return planAttribute(expr, slots, 1);
    case 'call':
      return planCall(expr, slots);
    case 'list':
      return foldConstant(expr) ?? planList(expr, slots);
    case 'map':
      return foldConstant(expr) ?? planMap(expr, slots);
    case 'fold':
      return planFold(expr, slots, plan);
    case 'struct':
      throw new Error('no type can be constructed');
  }
}

/** Idents, selections and indexes: cel-go charges their base once, which some places leave out. */
function planAttribute(expr: Expr, slots: Slots, baseCost: number): Step {
  if (expr.kind === 'ident') return planIdent(expr, slots, baseCost);
  if (expr.kind === 'select') {
    if (expr.qualified) return planIdent(expr.qualified, noSlots, baseCost);
    return planSelect(expr, slots, baseCost);
  }
  if (isIndex(expr)) return planIndex(expr, slots, baseCost);
  return plan(expr, slots);
}

const isIndex = (expr: Expr): expr is Call =>
  expr.kind === 'call' && (expr.name === '_[_]' || expr.name === '_[?_]' || expr.name === '_?._');
const isAttribute = (expr: Expr) =>
  (expr.kind === 'ident' && expr.constant === undefined) || expr.kind === 'select' || isIndex(expr);

function planIdent(expr: Ident, slots: Slots, baseCost: number): Step {
  const { constant } = expr;
  if (constant !== undefined) return () => constant;
  const slot = slots.names.get(expr.name);
  if (slot !== undefined) {
    return (run) => {
      run.charge(baseCost);
      return run.local(slot);
    };
  }
  const name = expr.name.replace(/^\./, '');
  return (run) => {
    run.charge(baseCost);
    return run.variable(name);
  };
}

// What is no attribute becomes the base of one, which costs 1 more.
function planOperand(expr: Expr, slots: Slots, baseCost: number): Step {
  if (isAttribute(expr)) return planAttribute(expr, slots, baseCost);
  const step = plan(expr, slots);
  return (run) => {
    run.charge(1);
    return step(run);
  };
}

function planSelect({ operand, field, testOnly }: Select, slots: Slots, baseCost: number): Step {
  const from = planOperand(operand, slots, baseCost);
  if (testOnly) return (run) => hasField(from(run), field);
  return (run) => {
    const container = from(run);
    run.charge(1);
    if (container instanceof CelOptional) {
      return container.value === undefined ? noneOptional : wrap(member(container.value, field));
    }
    const value = member(container, field);
    if (value === undefined) throw new CelError(`no such key: ${field}`);
    return value;
  };
}

function member(container: Value, field: string): Value | undefined {
  if (container instanceof CelObject || container instanceof CelMap) return container.get(field);
  throw new CelError('no such overload');
}

function hasField(container: Value, field: string): boolean {
  if (container instanceof CelOptional) {
    return container.value !== undefined && hasField(container.value, field);
  }
  return member(container, field) !== undefined;
}

const wrap = (value: Value | undefined) => (value === undefined ? noneOptional : new CelOptional(value));

function planIndex({ name, args }: Call, slots: Slots, baseCost: number): Step {
  const [operand, index] = args as [Expr, Expr];
  const from = planOperand(operand, slots, baseCost);
  const key = isAttribute(index) ? planAttribute(index, slots, 0) : plan(index, slots);
  if (name === '_[_]') {
    return (run) => {
      const container = from(run);
      const at = key(run);
      run.charge(1);
      if (!(container instanceof CelOptional)) return elementOrError(container, at);
      return container.value === undefined ? noneOptional : wrap(elementOf(container.value, at));
    };
  }
  return (run) => {
    const container = from(run);
    const at = key(run);
    const found = container instanceof CelOptional ? container.value : container;
    const element = found === undefined ? undefined : elementOf(found, at);
    if (element !== undefined) run.charge(1);
    return wrap(element);
  };
}

function elementOf(container: Value, at: Value): Value | undefined {
  if (container instanceof CelMap) return container.get(at);
  if (container instanceof CelObject && typeof at === 'string') return container.get(at);
  if (!(container instanceof CelList)) throw new CelError('no such overload');
  const position = at instanceof Uint ? at.value : at;
  if (typeof position === 'bigint') return container.items[Number(position)];
  if (typeof position === 'number' && Number.isInteger(position)) return container.items[position];
  throw new CelError(
    `unsupported index type '${typeof position === 'number' ? 'double' : typeof position}' in list`,
  );
}

function elementOrError(container: Value, at: Value): Value {
  const element = elementOf(container, at);
  if (element !== undefined) return element;
  throw new CelError(
    container instanceof CelList ? `index out of bounds: ${showKey(at)}` : `no such key: ${showKey(at)}`,
  );
}

function planCall(expr: Call, slots: Slots): Step {
  switch (expr.name) {
    case '_&&_':
      return planLogic(expr, slots, false);
    case '_||_':
      return planLogic(expr, slots, true);
    case '_?_:_':
      return planConditional(expr, slots);
    case '@not_strictly_false':
      return planNotStrictlyFalse(expr, slots);
    case '_[_]':
    case '_[?_]':
    case '_?._':
      return planIndex(expr, slots, 1);
    case 'or':
    case 'orValue':
      if (expr.overloads?.[0]?.id.startsWith('optional_')) return planOr(expr, slots);
  }
  return foldConversion(expr) ?? planFunction(expr, slots);
}

/** `a && b`: the other operand may decide, even where one fails. */
function planLogic({ args }: Call, slots: Slots, decisive: boolean): Step {
  const [left, right] = args.map((arg) => plan(arg, slots)) as [Step, Step];
  return (run) => {
    let failure: CelError | undefined;
    try {
      if (asBool(left(run)) === decisive) return decisive;
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      failure = error;
    }
    const value = asBool(right(run));
    if (value !== decisive && failure) throw failure;
    return value;
  };
}

function asBool(value: Value): boolean {
  if (typeof value === 'boolean') return value;
  throw new CelError('no such overload');
}

function planConditional({ args }: Call, slots: Slots): Step {
  const condition = plan(args[0]!, slots);
  // A branch that is an attribute is part of the conditional's own, whose base costs nothing.
  const [then, otherwise] = args
    .slice(1)
    .map((arg) => (isAttribute(arg) ? planAttribute(arg, slots, 0) : plan(arg, slots))) as [Step, Step];
  return (run) => (asBool(condition(run)) ? then(run) : otherwise(run));
}

function planNotStrictlyFalse({ args }: Call, slots: Slots): Step {
  const operand = plan(args[0]!, slots);
  return (run) => {
    run.charge(1);
    try {
      return operand(run) !== false;
    } catch (error) {
      if (error instanceof CelError) return true;
      throw error;
    }
  };
}

/** `x.or(y)` and `x.orValue(y)` leave `y` alone where `x` has a value. */
function planOr({ name, target, args }: Call, slots: Slots): Step {
  const from = plan(target!, slots);
  const other = plan(args[0]!, slots);
  return (run) => {
    const optional = from(run);
    if (!(optional instanceof CelOptional)) throw new CelError('no such overload');
    if (optional.value === undefined) return other(run);
    return name === 'or' ? optional : optional.value;
  };
}

function planFunction(expr: Call, slots: Slots): Step {
  const operands = expr.target && !expr.isQualified ? [expr.target, ...expr.args] : expr.args;
  const steps = operands.map((operand) => plan(operand, slots));
  const overloads = expr.overloads!;
  const name = expr.functionName!;
  const isKnown =
    overloads.length === 1 &&
    operands.every(({ type }, at) => isSettled(type!, overloads[0]!.parameters[at]!));
  const choose = isKnown ? () => overloads[0]! : (args: Value[]) => chooseOverload(overloads, args);
  // Membership in a constant list is looked up, which costs nothing.
  const isFree = name === '@in' && operands[1]!.kind === 'list' && constantOf(operands[1]!) !== undefined;
  const costs = overloads.map((overload) => costOfCall(name, overload.id));
  return (run) => {
    const args = steps.map((step) => step(run));
    const overload = choose(args);
    const result = overload.call(...args);
    if (!isFree) run.charge(costs[overloads.indexOf(overload)]?.(args, result) ?? 1);
    return result;
  };
}

const isSettled = (type: CelType, parameter: CelType) =>
  parameter.kind === 'parameter' || (type.kind !== 'dyn' && type.kind !== 'wrapper' && type.kind !== 'error');

function chooseOverload(overloads: readonly Overload[], args: readonly Value[]): Overload {
  const chosen = overloads.find(({ parameters }) => parameters.every((type, at) => fits(args[at]!, type)));
  if (!chosen) throw new CelError('no such overload');
  return chosen;
}

function fits(value: Value, type: CelType): boolean {
  switch (type.kind) {
    case 'parameter':
    case 'dyn':
      return true;
    case 'bool':
      return typeof value === 'boolean';
    case 'int':
      return typeof value === 'bigint';
    case 'uint':
      return value instanceof Uint;
    case 'double':
      return typeof value === 'number';
    case 'string':
      return typeof value === 'string';
    case 'bytes':
      return value instanceof Uint8Array;
    case 'null':
      return value === null;
    case 'timestamp':
      return value instanceof Timestamp;
    case 'duration':
      return value instanceof Duration;
    case 'list':
      return value instanceof CelList && (value.size === 0 || fits(value.items[0]!, type.item));
    case 'map':
      return value instanceof CelMap;
    case 'object':
      return value instanceof CelObject;
    case 'type':
      return value instanceof TypeValue;
    case 'opaque':
      return type.name === 'optional_type'
        ? value instanceof CelOptional
        : value instanceof OpaqueValue && value.typeName === type.name;
    default:
      return false;
  }
}

function planList({ items, optional }: ListExpr, slots: Slots): Step {
  const steps = items.map((item) => plan(item, slots));
  return (run) => {
    const values: Value[] = [];
    for (const [index, step] of steps.entries()) {
      const value = step(run);
      if (!optional.has(index)) values.push(value);
      else if (unwrap(value) !== undefined) values.push(unwrap(value)!);
    }
    run.charge(listCost);
    return new PlainList(values);
  };
}

function planMap({ entries }: MapExpr, slots: Slots): Step {
  const steps = entries.map(
    (entry) => [plan(entry.key, slots), plan(entry.value, slots), entry.optional] as const,
  );
  return (run) => {
    const map = new PlainMap();
    for (const [key, value, optional] of steps) {
      const [at, given] = [key(run), value(run)];
      const present = optional ? unwrap(given) : given;
      if (present === undefined) continue;
      if (typeof at === 'number') throw new CelError('unsupported key type: double');
      if (map.get(at) !== undefined) throw new CelError(`Failed with repeated key`);
      map.add(at, present);
    }
    run.charge(mapCost);
    return map;
  };
}

function unwrap(value: Value): Value | undefined {
  if (value instanceof CelOptional) return value.value;
  throw new CelError(`cannot initialize optional list element from non-optional value`);
}

/** The value of a literal, or of a list or map of nothing else. */
export function constantOf(expr: Expr): Value | undefined {
  if (expr.kind === 'literal') return expr.value;
  const parts =
    expr.kind === 'list' && expr.optional.size === 0
      ? expr.items
      : expr.kind === 'map' && !expr.entries.some(({ optional }) => optional)
        ? expr.entries.flatMap(({ key, value }) => [key, value])
        : undefined;
  if (!parts?.every((part) => constantOf(part) !== undefined)) return undefined;
  const step = expr.kind === 'list' ? planList(expr, noSlots) : planMap(expr as MapExpr, noSlots);
  return evaluateConstant(step);
}

function evaluateConstant(step: Step): Value | undefined {
  try {
    return step(new Run(() => null, Number.POSITIVE_INFINITY));
  } catch (error) {
    if (error instanceof CelError) return undefined;
    throw error;
  }
}

function foldConstant(expr: Expr): Step | undefined {
  const value = constantOf(expr);
  return value === undefined ? undefined : () => value;
}

/** `duration('1h')` of a literal is worked out once. */
function foldConversion(expr: Call): Step | undefined {
  if (!conversionNames.has(expr.functionName ?? '') || expr.args[0]?.kind !== 'literal') return undefined;
  const value = evaluateConstant(planFunction(expr, noSlots));
  return value === undefined ? undefined : () => value;
}
