import type { Call, Expr, Fold } from './ast.ts';
import { codePoints } from './functions/operators.ts';
import { checkCost, listCost, mapCost, perCharacter, perPatternCharacter } from './runtime-cost.ts';
import type { CelType } from './types.ts';

/** From the least to the most. Infinity where nothing bounds it. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

const fixed = (value: number): Range => ({ min: value, max: value });
const nothing = fixed(0);
const unknownSize: Range = { min: 0, max: Number.POSITIVE_INFINITY };
// 0 times what is unbounded is 0, not NaN.
const product = (a: number, b: number) => (a === 0 || b === 0 ? 0 : a * b);
const add = (...ranges: Range[]): Range =>
  ranges.reduce((sum, each) => ({ min: sum.min + each.min, max: sum.max + each.max }), nothing);
const times = (a: Range, b: Range): Range => ({ min: product(a.min, b.min), max: product(a.max, b.max) });
const scale = ({ min, max }: Range, factor: number): Range => ({
  min: Math.ceil(min * factor),
  max: Math.ceil(max * factor),
});
const union = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });

/** What an evaluation may cost at most, and at least, going by the bounds in the types of its variables. */
export function estimateCost(expr: Expr, variables: ReadonlyMap<string, CelType>): Range {
  return new Estimator(variables).cost(expr);
}

class Estimator {
  readonly #variables: ReadonlyMap<string, CelType>;
  /** Where the data of a node comes from, as its declared type with bounds. */
  readonly #declared = new Map<Expr, CelType>();
  readonly #sizes = new Map<Expr, Range>();
  readonly #locals = new Map<string, CelType | undefined>();

  constructor(variables: ReadonlyMap<string, CelType>) {
    this.#variables = variables;
  }

  cost(expr: Expr): Range {
    switch (expr.kind) {
      case 'literal':
        return nothing;
      case 'ident':
        return this.#ident(expr, expr.name);
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return add(fixed(listCost), ...expr.items.map((item) => this.cost(item)));
      case 'map':
        return add(
          fixed(mapCost),
          ...expr.entries.flatMap(({ key, value }) => [this.cost(key), this.cost(value)]),
        );
      case 'struct':
        return fixed(40);
      case 'fold':
        return this.#fold(expr);
    }
  }

  #ident(expr: Expr, name: string): Range {
    const declared = this.#locals.has(name) ? this.#locals.get(name) : this.#variables.get(name);
    if (declared) this.#declared.set(expr, declared);
    return fixed(1);
  }

  #select(expr: Extract<Expr, { kind: 'select' }>): Range {
    if (expr.qualified) return this.#ident(expr, expr.qualified.name);
    const operand = this.cost(expr.operand);
    if (expr.testOnly) return operand;
    const from = this.#declared.get(expr.operand);
    const declared =
      from?.kind === 'object'
        ? from.fields.get(expr.field)?.type
        : from?.kind === 'map'
          ? from.value
          : undefined;
    if (declared) this.#declared.set(expr, declared);
    const { kind } = expr.operand.type!;
    return kind === 'map' || kind === 'object' ? add(operand, fixed(1)) : operand;
  }

  #fold(expr: Fold): Range {
    const range = this.cost(expr.range);
    const initial = this.cost(expr.initial);
    const over = this.#declared.get(expr.range);
    const first = over?.kind === 'list' ? over.item : over?.kind === 'map' ? over.key : undefined;
    const second = over?.kind === 'list' ? over.item : over?.kind === 'map' ? over.value : undefined;
    const saved = new Map(this.#locals);
    this.#locals.set(expr.accumulator, this.#declared.get(expr.initial));
    if (expr.variable2 === undefined) this.#locals.set(expr.variable, first);
    else {
      this.#locals.set(expr.variable, over?.kind === 'map' ? over.key : undefined);
      this.#locals.set(expr.variable2, second);
    }
    const each = add(this.cost(expr.condition), this.cost(expr.step));
    const result = this.cost(expr.result);
    this.#locals.clear();
    for (const [name, type] of saved) this.#locals.set(name, type);
    const size = this.#size(expr.range);
    this.#sizes.set(expr, size);
    return add(range, initial, result, times(size, each));
  }

  #size(expr: Expr): Range {
    return this.#sizes.get(expr) ?? literalSize(expr) ?? this.#boundOf(expr);
  }

  #boundOf(expr: Expr): Range {
    const declared = this.#declared.get(expr);
    if (declared)
      return {
        min: 0,
        max: ('maxElements' in declared ? declared.maxElements : undefined) ?? boundOf(declared),
      };
    const kind = expr.type?.kind ?? 'dyn';
    return ['bool', 'int', 'uint', 'double', 'null', 'timestamp', 'duration', 'type'].includes(kind)
      ? fixed(1)
      : unknownSize;
  }

  #call(expr: Call): Range {
    const target = expr.target && !expr.isQualified ? expr.target : undefined;
    const costs = expr.args.map((arg) => this.cost(arg));
    const base = target ? this.cost(target) : nothing;
    if (expr.name === '_?._') return add(...costs, fixed(1));
    const name = expr.functionName!;
    let cost: Range | undefined;
    for (const { id } of expr.overloads ?? []) {
      const one = this.#callCost(expr, name, id, target, costs);
      cost = cost ? union(cost, one) : one;
    }
    this.#follow(expr);
    return add(base, cost ?? nothing);
  }

  /** An element has the bounds of its container's elements. */
  #follow(expr: Call): void {
    if (expr.name !== '_[_]') return;
    const from = this.#declared.get(expr.args[0]!);
    if (from?.kind === 'list') this.#declared.set(expr, from.item);
    if (from?.kind === 'map') this.#declared.set(expr, from.value);
  }

  #callCost(expr: Call, name: string, id: string, target: Expr | undefined, costs: Range[]): Range {
    const own = this.#functionCost(expr, name, id, target);
    if (own) return add(own, ...costs);
    switch (id) {
      case 'logical_and':
      case 'logical_or':
        return { min: costs[0]!.min, max: costs[0]!.max + costs[1]!.max };
      case 'conditional': {
        this.#sizes.set(expr, union(this.#size(expr.args[1]!), this.#size(expr.args[2]!)));
        return add(costs[0]!, union(costs[1]!, costs[2]!));
      }
    }
    return add(fixed(1), ...costs);
  }

  #functionCost(expr: Call, name: string, id: string, target: Expr | undefined): Range | undefined {
    const first = target ?? expr.args[0]!;
    const read = (of: Expr) => scale(this.#size(of), perCharacter);
    switch (name) {
      case 'check':
        return fixed(checkCost);
      case 'isSorted':
      case 'sum':
      case 'max':
      case 'min':
      case 'indexOf':
      case 'lastIndexOf': {
        const element = first.type?.kind === 'list' ? first.type.item : undefined;
        if (!element) return read(first);
        const declared = this.#declared.get(first);
        const bound = declared?.kind === 'list' ? boundOf(declared.item) : Number.POSITIVE_INFINITY;
        const isLong = element.kind === 'string' || element.kind === 'bytes';
        return times(
          this.#size(first),
          add(fixed(1), isLong ? scale({ min: 0, max: bound }, perCharacter) : nothing),
        );
      }
      case 'lowerAscii':
      case 'upperAscii':
      case 'substring':
      case 'trim':
        this.#sizes.set(expr, this.#size(first));
        return read(first);
      case 'url':
      case 'cidr':
      case 'isIP':
      case 'isCIDR':
      case 'quantity':
      case 'isQuantity':
        return read(first);
      case 'ip':
        return id === 'cidr_ip' ? fixed(1) : read(first);
      case 'split':
      case 'replace':
        this.#sizes.set(expr, this.#resultOf(expr, name, first));
        return scale(this.#size(first), 2 * perCharacter);
      case 'join': {
        const declared = this.#declared.get(first);
        const item = declared?.kind === 'list' ? boundOf(declared.item) : Number.POSITIVE_INFINITY;
        const list = this.#size(first);
        const by = expr.args[0] ? this.#size(expr.args[0]) : nothing;
        const size = { min: 0, max: product(list.max, item) + product(Math.max(0, list.max - 1), by.max) };
        this.#sizes.set(expr, size);
        return scale(size, perCharacter);
      }
      case 'matches':
      case 'find':
      case 'findAll': {
        const [text, pattern] = target ? [target, expr.args[0]!] : [expr.args[0]!, expr.args[1]!];
        if (name !== 'matches') this.#sizes.set(expr, { min: 0, max: this.#size(text).max });
        const characters = scale(add(this.#size(text), fixed(1)), perCharacter);
        return times(characters, scale(this.#size(pattern), perPatternCharacter));
      }
      case 'contains':
        return times(read(first), read(expr.args[0]!));
      case 'startsWith':
      case 'endsWith':
        return read(expr.args[0]!);
    }
    return this.#overloadCost(expr, id);
  }

  #overloadCost(expr: Call, id: string): Range | undefined {
    const [left, right] = expr.args;
    if (id === 'in_list') return this.#size(right!);
    if (id === 'string_to_bytes' || id === 'bytes_to_string') return scale(this.#size(left!), perCharacter);
    if (id === 'add_string' || id === 'add_bytes' || id === 'add_list') {
      const size = add(this.#size(left!), this.#size(right!));
      this.#sizes.set(expr, size);
      return id === 'add_list' ? fixed(1) : scale(size, perCharacter);
    }
    if (id === 'equals' || id === 'not_equals' || /^(less|greater)(_equals)?_(string|bytes)$/.test(id)) {
      const max = Math.min(this.#size(left!).max, this.#size(right!).max);
      return scale({ min: max > 0 ? 1 : 0, max }, perCharacter);
    }
    return undefined;
  }

  /** A replacement that is longer than what it replaces makes the text longer. */
  #resultOf(expr: Call, name: string, first: Expr): Range {
    const size = this.#size(first);
    if (name === 'split') return { min: 0, max: size.max };
    const [from, to] = [this.#size(expr.args[0]!), this.#size(expr.args[1]!)];
    if (from.min === 0) return { min: 0, max: product(size.max + 1, to.max) + size.max };
    return { min: 0, max: to.max <= from.min ? size.max : product(Math.ceil(size.max / from.min), to.max) };
  }
}

// What has no length of its own counts as nothing, as in Kubernetes' estimates.
function boundOf(type: CelType): number {
  if ('maxElements' in type && type.maxElements !== undefined) return type.maxElements;
  return ['string', 'bytes', 'list', 'map', 'dyn'].includes(type.kind) ? Number.POSITIVE_INFINITY : 0;
}

function literalSize(expr: Expr): Range | undefined {
  if (expr.kind === 'list') return fixed(expr.items.length);
  if (expr.kind === 'map') return fixed(expr.entries.length);
  if (expr.kind !== 'literal') return undefined;
  if (typeof expr.value === 'string') return fixed(codePoints(expr.value));
  return fixed(expr.value instanceof Uint8Array ? expr.value.length : 1);
}
