import type { Call, Expr } from './ast.ts';

type Issue = (offset: number, message: string) => void;

/** cel-go's name for what a fold builds up; no expression can say it. */
export const accumulator = '@result';

/** What a call of a macro stands for; undefined where the call is none. */
export function expandMacro(call: Call, issue: Issue): Expr | undefined {
  const { name, target, args } = call;
  if (target === undefined) {
    return name === 'has' && args.length === 1 ? expandHas(call, issue) : undefined;
  }
  const macro = macros[`${name}/${args.length}`];
  return macro?.({ call, target, args, issue });
}

interface Use {
  call: Call;
  target: Expr;
  args: Expr[];
  issue: Issue;
}

// `.call` in an expression that the macro makes has the macro's own place.
const macros: Record<string, (use: Use) => Expr | undefined> = {
  'all/2': (use) => all(use, one(use)),
  'all/3': (use) => all(use, two(use)),
  'exists/2': (use) => exists(use, one(use)),
  'exists/3': (use) => exists(use, two(use)),
  'exists_one/2': (use) => existsOne(use, one(use)),
  'existsOne/3': (use) => existsOne(use, two(use)),
  'filter/2': filter,
  'map/2': (use) => mapMacro(use, undefined, use.args[1]!),
  'map/3': (use) => mapMacro(use, use.args[1]!, use.args[2]!),
  'transformList/3': (use) => transformList(use, undefined, use.args[2]!),
  'transformList/4': (use) => transformList(use, use.args[2]!, use.args[3]!),
  'transformMap/3': (use) => transformMap(use, undefined, use.args[2]!, '@mapInsert'),
  'transformMap/4': (use) => transformMap(use, use.args[2]!, use.args[3]!, '@mapInsert'),
  'transformMapEntry/3': (use) => transformMap(use, undefined, use.args[2]!, '@mapInsertEntry'),
  'transformMapEntry/4': (use) => transformMap(use, use.args[2]!, use.args[3]!, '@mapInsertEntry'),
  'optMap/2': (use) => optional(use, true),
  'optFlatMap/2': (use) => optional(use, false),
};

interface Variables {
  variable: string;
  variable2?: string;
  predicate: Expr;
}

function expandHas({ args, offset }: Call, issue: Issue): Expr {
  const argument = args[0]!;
  if (argument.kind === 'select' && !argument.testOnly) return { ...argument, testOnly: true };
  issue(argument.offset, 'invalid argument to has() macro');
  return { kind: 'literal', value: false, offset };
}

function variableOf(expr: Expr, issue: Issue, what = 'argument must be a simple name'): string {
  if (expr.kind === 'ident' && !expr.name.startsWith('.')) {
    if (expr.name !== accumulator && expr.name !== '__result__') return expr.name;
    issue(expr.offset, 'iteration variable overwrites accumulator variable');
  } else issue(expr.offset, what);
  return '';
}

const one = ({ args, issue }: Use): Variables => ({
  variable: variableOf(args[0]!, issue),
  predicate: args[1]!,
});

function two({ args, issue }: Use): Variables {
  const variable = variableOf(args[0]!, issue);
  const variable2 = variableOf(args[1]!, issue);
  if (variable === variable2 && variable !== '') {
    issue(args[1]!.offset, `duplicate variable name: ${variable}`);
  }
  return { variable, variable2, predicate: args[2]! };
}

class Maker {
  readonly #offset: number;
  constructor(offset: number) {
    this.#offset = offset;
  }
  literal(value: boolean | bigint): Expr {
    return { kind: 'literal', value, offset: this.#offset };
  }
  accumulated(): Expr {
    return { kind: 'ident', name: accumulator, offset: this.#offset };
  }
  call(name: string, ...args: Expr[]): Expr {
    return { kind: 'call', name, args, offset: this.#offset };
  }
  list(...items: Expr[]): Expr {
    return { kind: 'list', items, optional: new Set(), offset: this.#offset };
  }
  map(): Expr {
    return { kind: 'map', entries: [], offset: this.#offset };
  }
}

function all({ call, target }: Use, { variable, variable2, predicate }: Variables): Expr {
  const make = new Maker(call.offset);
  return {
    ...{ kind: 'fold', offset: call.offset, range: target, accumulator, variable, variable2 },
    initial: make.literal(true),
    condition: make.call('@not_strictly_false', make.accumulated()),
    step: make.call('_&&_', make.accumulated(), predicate),
    result: make.accumulated(),
  };
}

function exists({ call, target }: Use, { variable, variable2, predicate }: Variables): Expr {
  const make = new Maker(call.offset);
  return {
    ...{ kind: 'fold', offset: call.offset, range: target, accumulator, variable, variable2 },
    initial: make.literal(false),
    condition: make.call('@not_strictly_false', make.call('!_', make.accumulated())),
    step: make.call('_||_', make.accumulated(), predicate),
    result: make.accumulated(),
  };
}

function existsOne({ call, target }: Use, { variable, variable2, predicate }: Variables): Expr {
  const make = new Maker(call.offset);
  const next = make.call('_+_', make.accumulated(), make.literal(1n));
  return {
    ...{ kind: 'fold', offset: call.offset, range: target, accumulator, variable, variable2 },
    initial: make.literal(0n),
    condition: make.literal(true),
    step: make.call('_?_:_', predicate, next, make.accumulated()),
    result: make.call('_==_', make.accumulated(), make.literal(1n)),
  };
}

function filter({ call, target, args, issue }: Use): Expr {
  const make = new Maker(call.offset);
  const variable = variableOf(args[0]!, issue, 'argument is not an identifier');
  const next = make.call('_+_', make.accumulated(), make.list(args[0]!));
  return {
    ...{ kind: 'fold', offset: call.offset, range: target, accumulator, variable },
    initial: make.list(),
    condition: make.literal(true),
    step: make.call('_?_:_', args[1]!, next, make.accumulated()),
    result: make.accumulated(),
  };
}

function mapMacro({ call, target, args, issue }: Use, predicate: Expr | undefined, value: Expr): Expr {
  const make = new Maker(call.offset);
  const variable = variableOf(args[0]!, issue, 'argument is not an identifier');
  const next = make.call('_+_', make.accumulated(), make.list(value));
  return {
    ...{ kind: 'fold', offset: call.offset, range: target, accumulator, variable },
    initial: make.list(),
    condition: make.literal(true),
    step: predicate ? make.call('_?_:_', predicate, next, make.accumulated()) : next,
    result: make.accumulated(),
  };
}

function transformList(use: Use, predicate: Expr | undefined, value: Expr): Expr {
  const { call, target } = use;
  const make = new Maker(call.offset);
  const { variable, variable2 } = two(use);
  const next = make.call('_+_', make.accumulated(), make.list(value));
  return {
    ...{ kind: 'fold', offset: call.offset, range: target, accumulator, variable, variable2 },
    initial: make.list(),
    condition: make.literal(true),
    step: predicate ? make.call('_?_:_', predicate, next, make.accumulated()) : next,
    result: make.accumulated(),
  };
}

function transformMap(use: Use, predicate: Expr | undefined, value: Expr, insert: string): Expr {
  const { call, target, args } = use;
  const make = new Maker(call.offset);
  const { variable, variable2 } = two(use);
  const next =
    insert === '@mapInsert'
      ? make.call('cel.@mapInsert', make.accumulated(), args[0]!, value)
      : make.call('cel.@mapInsert', make.accumulated(), value);
  return {
    ...{ kind: 'fold', offset: call.offset, range: target, accumulator, variable, variable2 },
    initial: make.map(),
    condition: make.literal(true),
    step: predicate ? make.call('_?_:_', predicate, next, make.accumulated()) : next,
    result: make.accumulated(),
  };
}

/** `x.optMap(v, e)`: a fold over nothing that binds `v` to the optional's value. */
function optional({ call, target, args, issue }: Use, wraps: boolean): Expr {
  const make = new Maker(call.offset);
  const variable = variableOf(args[0]!, issue, 'optMap() variable name must be a simple identifier');
  const { offset } = call;
  const member = (name: string): Expr => ({ kind: 'call', name, target, args: [], offset });
  const ofOptional = (name: string, ...given: Expr[]): Expr => ({
    kind: 'call',
    name,
    target: { kind: 'ident', name: 'optional', offset },
    args: given,
    offset,
  });
  const bound: Expr = {
    kind: 'fold',
    offset,
    range: make.list(),
    variable: '#unused',
    accumulator: variable,
    initial: member('value'),
    condition: make.literal(false),
    step: { kind: 'ident', name: variable, offset },
    result: args[1]!,
  };
  const present = wraps ? ofOptional('of', bound) : bound;
  return make.call('_?_:_', member('hasValue'), present, ofOptional('none'));
}
