import type { CelProgram, CelType } from '../cel/index.ts';
import { cel, celTypes } from './cel.ts';
import type { JsonSchema, ValidationRule } from './json-schema.ts';

export interface CompiledRule {
  rule: ValidationRule;
  program: CelProgram | undefined;
  /** Why there is no program. */
  error: string | undefined;
  message: CelProgram | undefined;
  messageError: string | undefined;
  usesOldSelf: boolean;
}

export interface CompiledRules {
  type: CelType;
  rules: CompiledRule[];
}

const compiled = new WeakMap<JsonSchema, CompiledRules>();

/** The rules of one schema, not of those inside it, compiled when they are first needed; undefined where there are none. */
export function compiledRules(schema: JsonSchema, isResource: boolean): CompiledRules | undefined {
  const declared = schema['x-kubernetes-validations'];
  if (!declared?.length) return undefined;
  const known = compiled.get(schema);
  if (known) return known;
  const type = cel().typeOfSchema(schema, { isRoot: isResource }) ?? cel().dynType;
  const made = { type, rules: declared.map((rule) => compileRule(rule, type)) };
  compiled.set(schema, made);
  return made;
}

function compileRule(rule: ValidationRule, type: CelType): CompiledRule {
  const oldSelf = rule.optionalOldSelf ? celTypes().optionalOf(type) : type;
  const variables = { self: type, oldSelf };
  const compiledOf = (source: string, wanted: 'bool' | 'string') => {
    try {
      const program = cel().compile(source, { variables });
      if (program.type.kind === wanted) return { program, error: undefined };
      const what = wanted === 'bool' ? 'cel expression must evaluate to a bool' : 'must evaluate to a string';
      return { program: undefined, error: what };
    } catch (error) {
      if (!(error instanceof cel().CelCompileError)) throw error;
      return { program: undefined, error: `compilation failed: ${error.message}` };
    }
  };
  const { program, error } = compiledOf(rule.rule, 'bool');
  const message = rule.messageExpression ? compiledOf(rule.messageExpression, 'string') : undefined;
  return {
    rule,
    program,
    error,
    message: message?.program,
    messageError: message?.error && `messageExpression ${message.error}`,
    usesOldSelf: program?.uses('oldSelf') ?? false,
  };
}
