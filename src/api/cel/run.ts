import { CelError } from './source.ts';
import type { Value } from './values.ts';

/** An evaluation that cost more than it may; no part of an expression can catch it. */
export class CelCostError extends Error {
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
    this.name = 'CelCostError';
  }
}

/** One evaluation: its variables, and what it has cost so far. */
export class Run {
  cost = 0;
  readonly #costMax: number;
  readonly #read: (name: string) => Value;
  readonly #variables = new Map<string, Value>();
  /** Variables of folds by number; an accumulator may hold an error. */
  readonly locals: (Value | CelError)[] = [];

  constructor(read: (name: string) => Value, costMax: number) {
    this.#read = read;
    this.#costMax = costMax;
  }

  charge(cost: number): void {
    this.cost += cost;
    if (this.cost > this.#costMax) throw new CelCostError();
  }

  variable(name: string): Value {
    let value = this.#variables.get(name);
    if (value === undefined) {
      value = this.#read(name);
      this.#variables.set(name, value);
    }
    return value;
  }

  local(slot: number): Value {
    const value = this.locals[slot]!;
    if (value instanceof CelError) throw value;
    return value;
  }
}

/** A compiled expression. */
export type Step = (run: Run) => Value;
