import type { Call, Expr, Fold, ListExpr } from './ast.ts';
import type { Slots } from './plan.ts';
import type { Run, Step } from './run.ts';
import { listCost } from './runtime-cost.ts';
import { CelError } from './source.ts';
import { CelList, CelMap, PlainList, PlainMap, type Value } from './values.ts';

type Plan = (expr: Expr, slots: Slots) => Step;

/** What `all`, `map` and the other macros became. */
export function planFold(expr: Fold, slots: Slots, plan: Plan): Step {
  const range = plan(expr.range, slots);
  const slot = slots.next;
  const outer = { names: new Map([...slots.names, [expr.accumulator, slot]]), next: slot + 3 };
  const inner = { names: new Map([...outer.names, [expr.variable, slot + 1]]), next: slot + 3 };
  if (expr.variable2 !== undefined) inner.names.set(expr.variable2, slot + 2);
  const initial = plan(expr.initial, slots);
  const condition = plan(expr.condition, inner);
  const step = planStep(expr, inner, plan);
  const result = plan(expr.result, outer);
  const neverLoops = expr.condition.kind === 'literal' && expr.condition.value === false;
  const goesOnAfterErrors = expr.condition.kind === 'call';
  return (run) => {
    const over = range(run);
    run.locals[slot] = fresh(initial(run));
    if (neverLoops) return result(run);
    for (const [key, value] of elements(over, expr.variable2 !== undefined)) {
      run.locals[slot + 1] = key;
      run.locals[slot + 2] = value;
      if (condition(run) !== true) break;
      run.locals[slot] = goesOnAfterErrors ? attempt(step, run) : step(run);
    }
    return result(run);
  };
}

const fresh = (value: Value): Value =>
  value instanceof PlainList && value.size === 0
    ? new PlainList([])
    : value instanceof PlainMap
      ? value.copy()
      : value;

function attempt(step: Step, run: Run): Value | CelError {
  try {
    return step(run);
  } catch (error) {
    if (error instanceof CelError) return error;
    throw error;
  }
}

function elements(over: Value, isPair: boolean): (readonly [Value, Value])[] {
  if (over instanceof CelList) {
    return over.items.map((item, index): [Value, Value] => (isPair ? [BigInt(index), item] : [item, null]));
  }
  if (over instanceof CelMap) {
    return over.keys().map((key): [Value, Value] => [key, isPair ? over.get(key)! : null]);
  }
  throw new CelError('no such overload');
}

/** Steps that add to the accumulated list or map do so in place. */
function planStep(expr: Fold, slots: Slots, plan: Plan): Step {
  const planned = (step: Expr): Step => {
    if (step.kind !== 'call') return plan(step, slots);
    if (step.name === '_?_:_' && isAccumulated(step.args[2]!, expr)) return conditional(step, planned);
    if (step.name === '_+_' && isAccumulated(step.args[0]!, expr) && step.args[1]?.kind === 'list') {
      return append(step.args[1], slots, plan, slots.names.get(expr.accumulator)!);
    }
    if (step.name === 'cel.@mapInsert') return insert(step, slots, plan, slots.names.get(expr.accumulator)!);
    return plan(step, slots);
  };
  const conditional = (step: Call, inside: (step: Expr) => Step): Step => {
    const condition = plan(step.args[0]!, slots);
    const then = inside(step.args[1]!);
    const slot = slots.names.get(expr.accumulator)!;
    return (run) => {
      const holds = condition(run);
      if (typeof holds !== 'boolean') throw new CelError('no such overload');
      return holds ? then(run) : run.local(slot);
    };
  };
  return planned(expr.step);
}

const isAccumulated = (expr: Expr, fold: Fold) => expr.kind === 'ident' && expr.name === fold.accumulator;

// Reading the accumulator, making the list and adding it cost 1, 10 and 1.
function append(list: ListExpr, slots: Slots, plan: Plan, slot: number): Step {
  const item = plan(list.items[0]!, slots);
  return (run) => {
    const value = item(run);
    run.charge(listCost + 2);
    const into = run.local(slot) as PlainList;
    into.items.push(value);
    return into;
  };
}

function insert({ args }: Call, slots: Slots, plan: Plan, slot: number): Step {
  const steps = args.slice(1).map((arg) => plan(arg, slots));
  return (run) => {
    const [key, value] = steps.map((step) => step(run)) as [Value, Value?];
    run.charge(2);
    const into = run.local(slot) as PlainMap;
    if (value !== undefined) into.add(key, value);
    else if (key instanceof CelMap) for (const each of key.keys()) into.add(each, key.get(each)!);
    return into;
  };
}
