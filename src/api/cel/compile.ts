import type { Expr } from './ast.ts';
import { check } from './checker.ts';
import { estimateCost, type Range } from './estimate.ts';
import { fromJson, toJson } from './from-json.ts';
import { authorizerLibrary } from './functions/authorizer.ts';
import { conversionLibrary } from './functions/conversions.ts';
import { ipLibrary } from './functions/ip.ts';
import { listLibrary, setLibrary } from './functions/lists.ts';
import { formatLibrary } from './functions/named-format.ts';
import { operatorLibraries } from './functions/operators.ts';
import { optionalLibrary } from './functions/optional.ts';
import { joinLibraries } from './functions/overload.ts';
import { quantityLibrary } from './functions/quantity.ts';
import { regexLibrary, stringLibrary } from './functions/strings.ts';
import { parseDuration, parseTimestamp, timeLibrary } from './functions/time.ts';
import { urlLibrary } from './functions/url.ts';
import { parse } from './parser.ts';
import { plan } from './plan.ts';
import { isPattern } from './regex.ts';
import { Run } from './run.ts';
import { CelCompileError, type CelIssue } from './source.ts';
import { type CelType, dynType } from './types.ts';
import type { Value } from './values.ts';

/** The most that one evaluation may cost in Kubernetes. */
export const callCostMax = 1_000_000;
/** The most that all evaluations of one request may cost in Kubernetes. */
export const requestCostMax = 10_000_000;

/** Functions as of Kubernetes 1.32. */
const functions = joinLibraries([
  ...operatorLibraries,
  conversionLibrary,
  timeLibrary,
  stringLibrary,
  regexLibrary,
  listLibrary,
  setLibrary,
  urlLibrary,
  ipLibrary,
  quantityLibrary,
  formatLibrary,
  optionalLibrary,
  authorizerLibrary,
]);

export interface CelEnvironment {
  /** Variables by name, which may have dots (`authorizer.requestResource`). */
  readonly variables: Readonly<Record<string, CelType>>;
  /** The most that one evaluation may cost; `callCostMax` if absent. */
  readonly costLimit?: number;
  /** Lists and maps may mix types, which Kubernetes does not allow. */
  readonly isHeterogeneous?: boolean;
}

/** What is left for several evaluations together; evaluate() takes its cost from it. */
export interface CostBudget {
  remaining: number;
}

export interface CelProgram {
  readonly source: string;
  readonly type: CelType;
  /** What an evaluation may cost, going by the bounds of the variables' types. */
  readonly estimatedCost: Range;
  /** Whether the expression mentions the variable. */
  uses(variable: string): boolean;
  /**
   * The value for these variables: plain data, read by the declared types. A function as a binding is asked at the first use.
   * Throws CelError where the evaluation fails, CelCostError where it costs too much.
   */
  evaluate(bindings: Readonly<Record<string, unknown>>, budget?: CostBudget): unknown;
  /** The same, as a CEL value. */
  evaluateValue(bindings: Readonly<Record<string, unknown>>, budget?: CostBudget): Value;
}

/** Compiles an expression once for many evaluations. Throws CelCompileError. */
export function compile(source: string, environment: CelEnvironment): CelProgram {
  const variables = new Map(Object.entries(environment.variables));
  const expr = parse(source);
  const type = check(source, expr, { variables, functions, homogeneous: !environment.isHeterogeneous });
  const names = new Set<string>();
  const issues: CelIssue[] = [];
  visit(expr, (each) => {
    if (each.kind === 'ident') names.add(each.name.replace(/^\./, ''));
    if (each.kind === 'select' && each.qualified) names.add(each.qualified.name);
    checkLiteral(each, issues);
  });
  if (issues.length > 0) throw new CelCompileError(source, issues);
  const step = plan(expr);
  const costMax = environment.costLimit ?? callCostMax;

  const evaluateValue: CelProgram['evaluateValue'] = (bindings, budget) => {
    const read = (name: string): Value => {
      const bound = bindings[name];
      return fromJson(typeof bound === 'function' ? bound() : bound, variables.get(name) ?? dynType);
    };
    const run = new Run(read, costMax);
    try {
      return step(run);
    } finally {
      if (budget) budget.remaining -= run.cost;
    }
  };
  let estimatedCost: Range | undefined;
  return {
    source,
    type,
    get estimatedCost() {
      estimatedCost ??= estimateCost(expr, variables);
      return estimatedCost;
    },
    uses: (variable) => names.has(variable),
    evaluate: (bindings, budget) => toJson(evaluateValue(bindings, budget)),
    evaluateValue,
  };
}

function visit(expr: Expr, see: (expr: Expr) => void): void {
  see(expr);
  for (const inner of partsOf(expr)) visit(inner, see);
}

function partsOf(expr: Expr): Expr[] {
  switch (expr.kind) {
    case 'select':
      return [expr.operand];
    case 'call':
      return [...(expr.target ? [expr.target] : []), ...expr.args];
    case 'list':
      return expr.items;
    case 'map':
      return expr.entries.flatMap(({ key, value }) => [key, value]);
    case 'struct':
      return expr.fields.map(({ value }) => value);
    case 'fold':
      return [expr.range, expr.initial, expr.condition, expr.step, expr.result];
    default:
      return [];
  }
}

const literalChecks: Record<string, (text: string) => unknown> = {
  matches: (text) => {
    if (!isPattern(text)) throw new Error('no pattern');
  },
  duration: parseDuration,
  timestamp: parseTimestamp,
};

// A pattern, duration or timestamp that is written out and can never be right is an error at once.
function checkLiteral(expr: Expr, issues: CelIssue[]): void {
  if (expr.kind !== 'call' || !Object.hasOwn(literalChecks, expr.functionName ?? '')) return;
  const argument = expr.args.at(-1);
  if (argument?.kind !== 'literal' || typeof argument.value !== 'string') return;
  try {
    literalChecks[expr.functionName!]!(argument.value);
  } catch {
    issues.push({ offset: argument.offset, message: `invalid ${expr.functionName} argument` });
  }
}
