import { isWild, mostGeneral, Substitutions } from './assignable.ts';
import {
  type Call,
  type Expr,
  type Fold,
  type Ident,
  type ListExpr,
  type MapExpr,
  qualifiedName,
  type Select,
  type StructExpr,
} from './ast.ts';
import type { Library, Overload } from './functions/overload.ts';
import { CelCompileError, type CelIssue } from './source.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  errorType,
  formatType,
  intType,
  isOptional,
  listOf,
  mapOf,
  nullType,
  optionalOf,
  parameter,
  stringType,
  timestampType,
  typeOfType,
  typeType,
  uintType,
} from './types.ts';
import { TypeValue, Uint, type Value } from './values.ts';

export interface CheckEnvironment {
  readonly variables: ReadonlyMap<string, CelType>;
  readonly functions: Library;
  /** `[1, 'a']` is an error: Kubernetes asks for lists and maps of one type. */
  readonly homogeneous: boolean;
}

/** Gives every node of `expr` its type, every call its overloads. Throws CelCompileError. */
export function check(source: string, expr: Expr, environment: CheckEnvironment): CelType {
  const checker = new Checker(environment);
  const type = checker.checkAll(expr);
  if (checker.issues.length > 0) throw new CelCompileError(source, checker.issues);
  return type;
}

interface Scope {
  readonly parent: Scope | undefined;
  readonly variables: Map<string, CelType>;
}

class Checker {
  readonly issues: CelIssue[] = [];
  readonly #environment: CheckEnvironment;
  readonly #substitutions = new Substitutions();
  readonly #checked: Expr[] = [];
  #scope: Scope | undefined;
  #parameters = 0;

  constructor(environment: CheckEnvironment) {
    this.#environment = environment;
  }

  checkAll(expr: Expr): CelType {
    this.#check(expr);
    for (const each of this.#checked) each.type = this.#substitutions.apply(each.type!, true);
    return expr.type!;
  }

  #check(expr: Expr): CelType {
    // What stands in a macro twice is one node, checked once in each place with the same outcome.
    const type = this.#typeOf(expr);
    expr.type = type;
    this.#checked.push(expr);
    return type;
  }

  #typeOf(expr: Expr): CelType {
    switch (expr.kind) {
      case 'literal':
        return literalType(expr.value);
      case 'ident':
        return this.#ident(expr);
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return this.#struct(expr);
      case 'fold':
        return this.#fold(expr);
    }
  }

  #issue(offset: number, message: string): CelType {
    this.issues.push({ offset, message });
    return errorType;
  }

  #format(type: CelType): string {
    return formatType(this.#substitutions.apply(type, false));
  }

  #lookUp(name: string): { type: CelType; constant?: Value } | undefined {
    for (let scope = this.#scope; scope; scope = scope.parent) {
      const type = scope.variables.get(name);
      if (type) return { type };
    }
    const plain = name.startsWith('.') ? name.slice(1) : name;
    const type = this.#environment.variables.get(plain);
    if (type) return { type };
    const named = namedTypes.get(plain);
    return named && { type: typeOfType(named.type), constant: new TypeValue(named.name) };
  }

  #ident(expr: Ident): CelType {
    const found = this.#lookUp(expr.name);
    if (!found) return this.#undeclared(expr.offset, expr.name);
    if (found.constant !== undefined) expr.constant = found.constant;
    return found.type;
  }

  #undeclared(offset: number, name: string): CelType {
    return this.#issue(offset, `undeclared reference to '${name.replace(/^\./, '')}' (in container '')`);
  }

  #select(expr: Select): CelType {
    const name = qualifiedName(expr);
    if (name !== undefined && !this.#isLocal(name)) {
      const found = this.#lookUp(name);
      if (found) {
        expr.qualified = { kind: 'ident', name, offset: expr.offset, type: found.type };
        if (found.constant !== undefined) expr.qualified.constant = found.constant;
        return found.type;
      }
    }
    const operand = this.#check(expr.operand);
    const selected = this.#field(this.#substitutions.apply(operand, false), expr.field, expr.offset, false);
    return expr.testOnly ? boolType : selected;
  }

  #isLocal(name: string): boolean {
    const first = name.split('.')[0]!;
    for (let scope = this.#scope; scope; scope = scope.parent) if (scope.variables.has(first)) return true;
    return false;
  }

  #field(operand: CelType, field: string, offset: number, optional: boolean): CelType {
    const type = isOptional(operand) ? operand.parameters[0]! : operand;
    const wrap = (selected: CelType) =>
      (optional || isOptional(operand)) && !isWildOptional(selected) ? optionalOf(selected) : selected;
    switch (type.kind) {
      case 'error':
      case 'dyn':
        return wrap(dynType);
      case 'map':
        return wrap(type.value);
      case 'object': {
        const found = type.fields.get(field);
        return found ? wrap(found.type) : this.#issue(offset, `undefined field '${field}'`);
      }
      case 'parameter':
        this.#substitutions.assign([type], [dynType]);
        return wrap(dynType);
      default:
        return this.#issue(offset, `type '${this.#format(type)}' does not support field selection`);
    }
  }

  #call(expr: Call): CelType {
    const { args } = expr;
    if (expr.name === '_?._') return this.#optionalSelect(expr);
    if (expr.target === undefined) {
      const name = expr.name.replace(/^\./, '');
      const types = args.map((arg) => this.#check(arg));
      const overloads = this.#environment.functions.get(name);
      if (!overloads) return this.#undeclared(expr.offset, name);
      return this.#resolve(expr, name, overloads, types, false);
    }
    const qualifier = qualifiedName(expr.target);
    if (qualifier !== undefined && !this.#isLocal(qualifier)) {
      const name = `${qualifier.replace(/^\./, '')}.${expr.name}`;
      const overloads = this.#environment.functions.get(name);
      if (overloads) {
        expr.isQualified = true;
        const types = args.map((arg) => this.#check(arg));
        return this.#resolve(expr, name, overloads, types, false);
      }
    }
    const types = [this.#check(expr.target), ...args.map((arg) => this.#check(arg))];
    const overloads = this.#environment.functions.get(expr.name);
    if (!overloads) return this.#undeclared(expr.offset, expr.name);
    return this.#resolve(expr, expr.name, overloads, types, true);
  }

  #optionalSelect(expr: Call): CelType {
    const [operand, field] = expr.args as [Expr, Expr & { value: string }];
    const type = this.#substitutions.apply(this.#check(operand), false);
    this.#check(field);
    expr.functionName = '_?._';
    return this.#field(type, field.value, expr.offset, true);
  }

  #resolve(
    expr: Call,
    name: string,
    candidates: readonly Overload[],
    args: readonly CelType[],
    isMember: boolean,
  ): CelType {
    expr.functionName = name;
    const matching: Overload[] = [];
    let result: CelType | undefined;
    for (const overload of candidates) {
      if (overload.isMember !== isMember) continue;
      const [parameters, outcome] = this.#fresh(overload);
      if (!this.#substitutions.assign(args, parameters)) continue;
      matching.push(overload);
      const resolved = this.#substitutions.apply(outcome, false);
      result = result === undefined || formatType(result) === formatType(resolved) ? resolved : dynType;
    }
    if (result === undefined) {
      const shown = args.map((arg) => this.#format(arg));
      const signature = isMember ? `${shown[0]}.(${shown.slice(1).join(', ')})` : `(${shown.join(', ')})`;
      return this.#issue(expr.offset, `found no matching overload for '${name}' applied to '${signature}'`);
    }
    expr.overloads = matching;
    return result;
  }

  #fresh(overload: Overload): [CelType[], CelType] {
    const names = new Map<string, CelType>();
    const rename = (type: CelType): CelType => {
      switch (type.kind) {
        case 'parameter': {
          const known = names.get(type.name) ?? this.#newParameter();
          names.set(type.name, known);
          return known;
        }
        case 'list':
          return listOf(rename(type.item));
        case 'map':
          return mapOf(rename(type.key), rename(type.value));
        case 'opaque':
          return { ...type, parameters: type.parameters.map(rename) };
        case 'type':
          return type.of ? typeOfType(rename(type.of)) : type;
        default:
          return type;
      }
    };
    return [overload.parameters.map(rename), rename(overload.result)];
  }

  #newParameter(): CelType {
    return parameter(`_var${this.#parameters++}`);
  }

  #list(expr: ListExpr): CelType {
    let item: CelType | undefined;
    for (const [index, each] of expr.items.entries()) {
      const type = this.#check(each);
      const given = expr.optional.has(index) ? this.#unwrapOptional(type, each) : type;
      item = item === undefined ? given : this.#join(item, given, each.offset);
    }
    return listOf(item ?? this.#newParameter());
  }

  #unwrapOptional(type: CelType, at: Expr): CelType {
    const resolved = this.#substitutions.apply(type, false);
    if (isOptional(resolved)) return resolved.parameters[0]!;
    if (isWild(resolved)) return resolved;
    return this.#issue(
      at.offset,
      `expected type 'optional_type(${formatType(resolved)})' but found '${formatType(resolved)}'`,
    );
  }

  #map(expr: MapExpr): CelType {
    let [key, value]: (CelType | undefined)[] = [];
    for (const entry of expr.entries) {
      const keyType = this.#check(entry.key);
      key = key === undefined ? keyType : this.#join(key, keyType, entry.key.offset);
      const type = this.#check(entry.value);
      const given = entry.optional ? this.#unwrapOptional(type, entry.value) : type;
      value = value === undefined ? given : this.#join(value, given, entry.value.offset);
    }
    return mapOf(key ?? this.#newParameter(), value ?? this.#newParameter());
  }

  #join(previous: CelType, next: CelType, offset: number): CelType {
    if (this.#substitutions.assign([previous], [next])) {
      return mostGeneral(this.#substitutions.apply(previous, false), this.#substitutions.apply(next, false));
    }
    if (!this.#environment.homogeneous) return dynType;
    this.#issue(offset, `expected type '${this.#format(previous)}' but found '${this.#format(next)}'`);
    return previous;
  }

  #struct(expr: StructExpr): CelType {
    for (const field of expr.fields) this.#check(field.value);
    const found = this.#lookUp(expr.name);
    if (!found) return this.#undeclared(expr.offset, expr.name);
    return this.#issue(expr.offset, `'${expr.name}' is not a message type`);
  }

  #fold(expr: Fold): CelType {
    this.#check(expr.range);
    const initial = this.#check(expr.initial);
    const range = this.#substitutions.apply(expr.range.type!, false);
    const [first, second] = this.#variables(expr, range);
    this.#scope = { parent: this.#scope, variables: new Map([[expr.accumulator, initial]]) };
    const variables = new Map([[expr.variable, first]]);
    if (expr.variable2 !== undefined) variables.set(expr.variable2, second);
    this.#scope = { parent: this.#scope, variables };
    this.#check(expr.condition);
    this.#assert(expr.condition, boolType);
    this.#check(expr.step);
    this.#assert(expr.step, initial);
    this.#scope = this.#scope.parent!;
    const result = this.#check(expr.result);
    this.#scope = this.#scope.parent;
    return this.#substitutions.apply(result, false);
  }

  #variables(expr: Fold, range: CelType): [CelType, CelType] {
    const hasTwo = expr.variable2 !== undefined;
    switch (range.kind) {
      case 'list':
        return hasTwo ? [intType, range.item] : [range.item, dynType];
      case 'map':
        return [range.key, range.value];
      case 'dyn':
      case 'error':
        return [dynType, dynType];
      case 'parameter':
        this.#substitutions.assign([range], [dynType]);
        return [dynType, dynType];
      default: {
        const what = `expression of type '${this.#format(range)}' cannot be range of a comprehension`;
        this.#issue(expr.range.offset, `${what} (must be list, map, or dynamic)`);
        return [errorType, errorType];
      }
    }
  }

  #assert(expr: Expr, expected: CelType): void {
    if (this.#substitutions.assign([expr.type!], [expected])) return;
    this.#issue(
      expr.offset,
      `expected type '${this.#format(expected)}' but found '${this.#format(expr.type!)}'`,
    );
  }
}

const isWildOptional = (type: CelType) => isOptional(type) || type.kind === 'error';

function literalType(value: Value): CelType {
  if (value === null) return nullType;
  if (value instanceof Uint) return uintType;
  if (value instanceof Uint8Array) return bytesType;
  return { boolean: boolType, bigint: intType, number: doubleType, string: stringType }[
    typeof value as 'boolean'
  ];
}

const namedTypes = new Map<string, { name: string; type: CelType }>(
  Object.entries({
    bool: boolType,
    int: intType,
    uint: uintType,
    double: doubleType,
    string: stringType,
    bytes: bytesType,
    null_type: nullType,
    list: listOf(dynType),
    map: mapOf(dynType, dynType),
    type: typeType,
    dyn: dynType,
    optional_type: optionalOf(parameter('V')),
    'google.protobuf.Timestamp': timestampType,
    'google.protobuf.Duration': durationType,
    'net.IP': { kind: 'opaque', name: 'net.IP', parameters: [] } satisfies CelType,
    'net.CIDR': { kind: 'opaque', name: 'net.CIDR', parameters: [] } satisfies CelType,
    'kubernetes.URL': { kind: 'opaque', name: 'kubernetes.URL', parameters: [] } satisfies CelType,
    'kubernetes.Quantity': { kind: 'opaque', name: 'kubernetes.Quantity', parameters: [] } satisfies CelType,
  } as Record<string, CelType>).map(([name, type]) => [name, { name, type }]),
);
