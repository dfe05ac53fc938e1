import type { KindDefinition } from '../kind.ts';
import type {
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicySpec,
} from '../kinds/validatingAdmissionPolicy.ts';
import { compileForAdmission } from './admission.ts';
import { typeOfKind } from './node-types.ts';
import { type CelType, dynType } from './types.ts';

/** Kinds that a policy is checked against, at most, as in Kubernetes. */
export const kindsCheckedMax = 10;

export interface ExpressionWarning {
  fieldRef: string;
  warning: string;
}

/** What may be wrong with a policy's expressions, for each kind that its rules name; they go on being evaluated. */
export function checkTypes(
  { spec = {} }: ValidatingAdmissionPolicy,
  kinds: readonly KindDefinition[],
): ExpressionWarning[] {
  const checked = kindsToCheck(spec, kinds).flatMap((kind) => {
    const type = typeOfKind(kind);
    return type ? [{ kind, type }] : [];
  });
  const params = paramsType(spec, kinds);
  const warnings: ExpressionWarning[] = [];
  const check = (fieldRef: string, expression: string | undefined) => {
    if (!expression) return;
    const found = checked.flatMap(({ kind, type }) => {
      const problem = problemOf(expression, spec, { object: type, params });
      const { group, version, kind: name } = kind;
      const gvk = `${group === '' ? '' : `${group}/`}${version}, Kind=${name}`;
      return problem === undefined ? [] : [`${gvk}: ${problem}\n`];
    });
    if (found.length > 0) warnings.push({ fieldRef, warning: found.join('\n') });
  };
  for (const [index, { expression, messageExpression }] of (spec.validations ?? []).entries()) {
    check(`spec.validations[${index}].expression`, expression);
    check(`spec.validations[${index}].messageExpression`, messageExpression);
  }
  return warnings;
}

interface Types {
  object: CelType;
  params: CelType | undefined;
}

function problemOf(
  expression: string,
  spec: Partial<ValidatingAdmissionPolicySpec>,
  types: Types,
): string | undefined {
  const variables: Record<string, CelType> = {};
  const known = { hasParams: types.params !== undefined, hasAuthorizer: true, variables, types };
  for (const { name, expression: source } of spec.variables ?? []) {
    try {
      variables[name] = compileForAdmission(source, known).type;
    } catch {
      // It is told where it is used, as a variable of any type.
      variables[name] = dynType;
    }
  }
  try {
    compileForAdmission(expression, known);
    return undefined;
  } catch (error) {
    return `compilation failed: ${(error as Error).message}`;
  }
}

/** The kinds that the rules name outright, in order. */
function kindsToCheck(
  { matchConstraints }: Partial<ValidatingAdmissionPolicySpec>,
  kinds: readonly KindDefinition[],
): KindDefinition[] {
  const found = new Set<KindDefinition>();
  for (const { apiGroups = [], apiVersions = [], resources = [] } of matchConstraints?.resourceRules ?? []) {
    const named = [...apiGroups, ...apiVersions, ...resources];
    if (named.some((each) => each.includes('*')) || resources.some((each) => each.includes('/'))) continue;
    for (const kind of kinds) {
      const isNamed =
        apiGroups.includes(kind.group) &&
        apiVersions.includes(kind.version) &&
        resources.includes(kind.plural);
      if (isNamed && found.size < kindsCheckedMax) found.add(kind);
    }
  }
  const nameOf = ({ group, version, kind }: KindDefinition) => `${group}\0${version}\0${kind}`;
  return [...found].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

function paramsType(
  { paramKind }: Partial<ValidatingAdmissionPolicySpec>,
  kinds: readonly KindDefinition[],
): CelType | undefined {
  if (!paramKind) return undefined;
  const kind = kinds.find(({ group, version, kind: name }) => {
    const apiVersion = group === '' ? version : `${group}/${version}`;
    return apiVersion === paramKind.apiVersion && name === paramKind.kind;
  });
  return kind && typeOfKind(kind);
}
