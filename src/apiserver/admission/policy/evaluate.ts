import type { CelProgram, CelType, CostBudget } from '../../../api/cel/index.ts';
import type { ValidatingAdmissionPolicy } from '../../../api/kinds/validatingAdmissionPolicy.ts';
import type { KubeObject } from '../../../api/object.ts';
import { messageOf } from '../../../base/errors.ts';

type Cel = typeof import('../../../api/cel/index.ts');
type Bindings = Readonly<Record<string, unknown>>;

/** What a policy says of one write with one set of parameters. */
export interface Outcome {
  /** Failed validations and evaluations, in their order. */
  failures: { index: number; message: string; reason: string }[];
  annotations: { key: string; value: string }[];
}

/** A text from an expression may not be longer. */
const messageBytesMax = 5 * 1024;

interface Check {
  program: CelProgram;
  messageProgram: CelProgram | undefined;
  message: string;
  reason: string;
}

/** A policy whose expressions are compiled. Throws CelCompileError for one that was stored and does not compile. */
export class CompiledPolicy {
  readonly #cel: Cel;
  readonly #policy: ValidatingAdmissionPolicy;
  readonly #variables: { name: string; program: CelProgram }[] = [];
  readonly #conditions: CelProgram[];
  readonly #checks: Check[];
  readonly #annotations: { key: string; program: CelProgram }[];

  constructor(cel: Cel, policy: ValidatingAdmissionPolicy) {
    this.#cel = cel;
    this.#policy = policy;
    const spec = policy.spec ?? {};
    const types: Record<string, CelType> = {};
    const compile = (source: string, hasAuthorizer = true) =>
      cel.compileForAdmission(source, {
        hasParams: spec.paramKind !== undefined,
        hasAuthorizer,
        variables: types,
      });
    for (const { name, expression } of spec.variables ?? []) {
      const program = compile(expression);
      types[name] = program.type;
      this.#variables.push({ name, program });
    }
    this.#conditions = (spec.matchConditions ?? []).map(({ expression }) => compile(expression));
    this.#checks = (spec.validations ?? []).map((each) => ({
      program: compile(each.expression),
      messageProgram: each.messageExpression ? compile(each.messageExpression, false) : undefined,
      message: each.message?.trim() || `failed expression: ${each.expression.trim()}`,
      reason: each.reason ?? 'Invalid',
    }));
    this.#annotations = (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      program: compile(valueExpression, false),
    }));
  }

  /** Undefined where the conditions say that the write is not meant. */
  evaluate(given: Bindings, params: KubeObject | undefined): Outcome | undefined {
    const budget: CostBudget = { remaining: this.#cel.requestCostMax };
    const known = { ...given, params: params ?? null };
    const bindings = { ...known, variables: this.#lazyVariables(known, budget) };
    const failures: Outcome['failures'] = [];
    const fail = (index: number, message: string) => {
      if (this.#policy.spec?.failurePolicy !== 'Ignore') failures.push({ index, message, reason: 'Invalid' });
    };
    const meets = this.#meetsConditions(bindings, budget);
    if (meets === false) return undefined;
    if (meets !== true) {
      fail(0, meets);
      return { failures, annotations: [] };
    }
    for (const [index, check] of this.#checks.entries()) {
      try {
        if (this.#value(check.program, bindings, budget) === true) continue;
        failures.push({ index, message: this.#message(check, bindings, budget), reason: check.reason });
      } catch (error) {
        fail(index, messageOf(error));
      }
    }
    return { failures, annotations: this.#notes(bindings, budget, fail) };
  }

  #value(program: CelProgram, bindings: Bindings, budget: CostBudget): unknown {
    if (budget.remaining < 0) {
      throw new Error(
        'validation failed due to running out of cost budget, no further validation rules will be run',
      );
    }
    try {
      return program.evaluate(bindings, budget);
    } catch (error) {
      throw new Error(`expression '${program.source}' resulted in error: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** One that is false counts more than one that fails. */
  #meetsConditions(bindings: Bindings, budget: CostBudget): boolean | string {
    const errors: string[] = [];
    for (const program of this.#conditions) {
      try {
        if (this.#value(program, bindings, budget) !== true) return false;
      } catch (error) {
        errors.push(messageOf(error));
      }
    }
    if (errors.length === 0) return true;
    return errors.length === 1 ? errors[0]! : `[${errors.join(', ')}]`;
  }

  #message({ messageProgram, message }: Check, bindings: Bindings, budget: CostBudget): string {
    if (!messageProgram) return message;
    try {
      const text = messageProgram.evaluate(bindings, budget);
      const trimmed = typeof text === 'string' ? text.trim() : '';
      const isUsable =
        trimmed !== '' && !trimmed.includes('\n') && Buffer.byteLength(trimmed) <= messageBytesMax;
      return isUsable ? trimmed : message;
    } catch {
      return message;
    }
  }

  #notes(
    bindings: Bindings,
    budget: CostBudget,
    fail: (index: number, message: string) => void,
  ): Outcome['annotations'] {
    const notes: Outcome['annotations'] = [];
    for (const [index, { key, program }] of this.#annotations.entries()) {
      try {
        const value = this.#value(program, bindings, budget);
        if (typeof value === 'string' && value.trim() !== '') notes.push({ key, value: value.trim() });
      } catch (error) {
        fail(index, messageOf(error));
      }
    }
    return notes;
  }

  /** `variables`: each is evaluated when it is first read. */
  #lazyVariables(given: Bindings, budget: CostBudget): object {
    const programs = new Map(this.#variables.map(({ name, program }) => [name, program]));
    const { CelObject } = this.#cel;
    type Value = import('../../../api/cel/index.ts').Value;
    return new (class extends CelObject {
      readonly typeName = 'kubernetes.variables';
      readonly #known = new Map<string, Value>();
      get(name: string): Value | undefined {
        const program = programs.get(name);
        if (!program) return undefined;
        const value = this.#known.get(name) ?? program.evaluateValue({ ...given, variables: this }, budget);
        this.#known.set(name, value);
        return value;
      }
      equals(other: Value): boolean {
        return other === this;
      }
    })();
  }
}
