import { type CelType, dynType, formatType } from './types.ts';

/** What type parameters stand for, by name. Tried on a copy, so that a failed match leaves nothing behind. */
export class Substitutions {
  #bound: Map<string, CelType>;

  constructor(bound = new Map<string, CelType>()) {
    this.#bound = bound;
  }

  /** Whether values of each of `from` can be passed as `to`; binds parameters if so. */
  assign(from: readonly CelType[], to: readonly CelType[]): boolean {
    const attempt = new Substitutions(new Map(this.#bound));
    const fits = from.length === to.length && from.every((type, index) => attempt.#assign(type, to[index]!));
    if (fits) this.#bound = attempt.#bound;
    return fits;
  }

  /** With every bound parameter replaced; unbound ones become dyn if `toDyn`. */
  apply(type: CelType, toDyn: boolean): CelType {
    switch (type.kind) {
      case 'parameter': {
        const bound = this.#bound.get(type.name);
        if (bound) return this.apply(bound, toDyn);
        return toDyn ? dynType : type;
      }
      case 'list': {
        const item = this.apply(type.item, toDyn);
        return item === type.item ? type : { ...type, item };
      }
      case 'map': {
        const [key, value] = [this.apply(type.key, toDyn), this.apply(type.value, toDyn)];
        return key === type.key && value === type.value ? type : { ...type, key, value };
      }
      case 'opaque':
        if (type.parameters.length === 0) return type;
        return { ...type, parameters: type.parameters.map((each) => this.apply(each, toDyn)) };
      case 'type':
        return type.of ? { kind: 'type', of: this.apply(type.of, toDyn) } : type;
      default:
        return type;
    }
  }

  #assign(from: CelType, to: CelType): boolean {
    if (to.kind === 'parameter') {
      const outcome = this.#substitute(from, to);
      if (outcome !== undefined) return outcome;
    }
    if (from.kind === 'parameter') return this.#substitute(to, from) ?? false;
    if (isWild(from) || isWild(to)) return true;
    if (from.kind === 'null') return isNullable(to);
    if (to.kind === 'wrapper') return this.#assign(from.kind === 'wrapper' ? from.of : from, to.of);
    if (from.kind === 'wrapper') return this.#assign(from.of, to);
    if (from.kind !== to.kind) return false;
    if (from.kind === 'list' && to.kind === 'list') return this.#assign(from.item, to.item);
    if (from.kind === 'map' && to.kind === 'map') {
      return this.#assign(from.key, to.key) && this.#assign(from.value, to.value);
    }
    if (from.kind === 'object' && to.kind === 'object') return from.name === to.name;
    if (from.kind === 'opaque' && to.kind === 'opaque') {
      return (
        from.name === to.name &&
        from.parameters.length === to.parameters.length &&
        from.parameters.every((each, index) => this.#assign(each, to.parameters[index]!))
      );
    }
    return true;
  }

  /** Undefined where `parameter` is free but occurs in `type`. */
  #substitute(type: CelType, parameter: Extract<CelType, { kind: 'parameter' }>): boolean | undefined {
    if (type.kind === 'parameter' && type.name === parameter.name) return true;
    const bound = this.#bound.get(parameter.name);
    if (bound) {
      if (!this.#assign(type, bound)) return false;
      this.#bound.set(parameter.name, mostGeneral(type, bound));
      return true;
    }
    if (this.#occurs(parameter.name, type)) return undefined;
    this.#bound.set(parameter.name, type);
    return true;
  }

  #occurs(name: string, type: CelType): boolean {
    switch (type.kind) {
      case 'parameter': {
        const bound = this.#bound.get(type.name);
        return type.name === name || (bound !== undefined && this.#occurs(name, bound));
      }
      case 'list':
        return this.#occurs(name, type.item);
      case 'map':
        return this.#occurs(name, type.key) || this.#occurs(name, type.value);
      case 'opaque':
        return type.parameters.some((each) => this.#occurs(name, each));
      default:
        return false;
    }
  }
}

export const isWild = (type: CelType): boolean => type.kind === 'dyn' || type.kind === 'error';

function isNullable(type: CelType): boolean {
  return ['null', 'wrapper', 'object', 'opaque', 'timestamp', 'duration'].includes(type.kind);
}

/** The more general of two types that fit each other. */
export function mostGeneral(a: CelType, b: CelType): CelType {
  return isEqualOrLessSpecific(a, b) ? a : b;
}

function isEqualOrLessSpecific(a: CelType, b: CelType): boolean {
  if (a.kind === 'dyn' || a.kind === 'parameter') return true;
  if (b.kind === 'dyn' || b.kind === 'parameter') return false;
  if (a.kind === 'opaque' && b.kind === 'opaque') {
    return (
      a.name === b.name &&
      a.parameters.every((each, index) => isEqualOrLessSpecific(each, b.parameters[index]!))
    );
  }
  if (a.kind === 'list' && b.kind === 'list') return isEqualOrLessSpecific(a.item, b.item);
  if (a.kind === 'map' && b.kind === 'map') {
    return isEqualOrLessSpecific(a.key, b.key) && isEqualOrLessSpecific(a.value, b.value);
  }
  if (a.kind === 'type' && b.kind === 'type') return true;
  // A wrapper takes its primitive and null.
  if (a.kind === 'wrapper') return b.kind !== 'wrapper' || formatType(a) === formatType(b);
  return formatType(a) === formatType(b);
}
