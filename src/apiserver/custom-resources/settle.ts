import { isProtectedGroup, readApproval } from '../../api/custom/definition/approval.ts';
import { isEqualJson } from '../../api/equal.ts';
import type { KindDefinition } from '../../api/kind.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionStatus,
} from '../../api/kinds/customResourceDefinition.ts';
import { type Condition, conditionOf, withCondition } from './conditions.ts';

export interface Neighbours {
  /** The other definitions of the group. */
  definitions: readonly CustomResourceDefinition[];
  /** Kinds of the group that the server was built with. */
  builtIn: readonly KindDefinition[];
  nowMs: number;
}

/** The status of a definition: which of its names it gets, and whether it is served. */
export function settle(
  definition: CustomResourceDefinition,
  neighbours: Neighbours,
): CustomResourceDefinitionStatus {
  const { spec } = definition;
  const own = neighbours.builtIn.find(({ plural }) => plural === spec.names.plural);
  const taken = takenNames(neighbours, own);
  const { names, conflict } = acceptNames(spec.names, definition.status?.acceptedNames, taken);
  const accepted: Condition = conflict
    ? { type: 'NamesAccepted', status: 'False', ...conflict }
    : { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' };
  let status: CustomResourceDefinitionStatus = { ...definition.status, acceptedNames: names };
  status = withCondition(status, neighbours.nowMs, accepted);
  status = withCondition(status, neighbours.nowMs, establishedOf(definition, own, conflict !== undefined));
  return approved(definition, status, neighbours.nowMs);
}

/** Once served, a definition stays so, under the names that it has. */
function establishedOf(
  definition: CustomResourceDefinition,
  own: KindDefinition | undefined,
  hasConflict: boolean,
): Condition {
  if (own) {
    const message =
      `${own.kind} in ${own.group}/${own.version} is built in: it goes on being served with its own schema, ` +
      'and this definition is only stored';
    return { type: 'Established', status: 'True', reason: 'BuiltIn', message };
  }
  const held = conditionOf(definition, 'Established');
  if (held?.status === 'True') return held;
  if (hasConflict) {
    return {
      type: 'Established',
      status: 'False',
      reason: 'NotAccepted',
      message: 'not all names are accepted',
    };
  }
  const message = 'the initial names have been accepted';
  return { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message };
}

function approved(
  definition: CustomResourceDefinition,
  status: CustomResourceDefinitionStatus,
  nowMs: number,
): CustomResourceDefinitionStatus {
  if (!isProtectedGroup(definition.spec.group)) return status;
  const { state, message } = readApproval(definition);
  const reasons = {
    missing: 'MissingAnnotation',
    invalid: 'InvalidAnnotation',
    bypassed: 'UnapprovedAnnotation',
    approved: 'ApprovedAnnotation',
  };
  return withCondition(status, nowMs, {
    type: 'KubernetesAPIApprovalPolicyConformant',
    status: state === 'approved' ? 'True' : 'False',
    reason: reasons[state],
    message,
  });
}

interface Taken {
  resources: Set<string>;
  kinds: Set<string>;
}

function takenNames({ definitions, builtIn }: Neighbours, own: KindDefinition | undefined): Taken {
  const taken: Taken = { resources: new Set(), kinds: new Set() };
  const take = (names: Partial<CustomResourceDefinitionNames>) => {
    for (const name of [names.plural, names.singular, ...(names.shortNames ?? [])]) {
      if (name) taken.resources.add(name);
    }
    for (const name of [names.kind, names.listKind]) if (name) taken.kinds.add(name);
  };
  for (const { status } of definitions) take(status?.acceptedNames ?? {});
  for (const kind of builtIn) {
    if (kind === own) continue;
    const { plural, singular, shortNames, kind: name, listKind = `${name}List` } = kind;
    take({ plural, singular, shortNames: [...shortNames], kind: name, listKind });
  }
  return taken;
}

interface Accepted {
  names: CustomResourceDefinitionNames;
  conflict: { reason: string; message: string } | undefined;
}

/** Each name that is free, or held already, is accepted; the last conflict is told. */
function acceptNames(
  wanted: CustomResourceDefinitionNames,
  held: CustomResourceDefinitionNames | undefined,
  taken: Taken,
): Accepted {
  const names: CustomResourceDefinitionNames = { kind: '', plural: '', ...held };
  let conflict: Accepted['conflict'];
  const isFree = (name: string | undefined, before: string | undefined, inUse: Set<string>) =>
    name === before || !name || !inUse.has(name);
  const accept = (field: 'plural' | 'singular' | 'kind' | 'listKind', inUse: Set<string>, reason: string) => {
    const name = wanted[field];
    if (!isFree(name, held?.[field], inUse)) conflict = { reason, message: inUseText(name!) };
    else if (name !== undefined) names[field] = name;
  };
  accept('plural', taken.resources, 'PluralConflict');
  accept('singular', taken.resources, 'SingularConflict');
  if (!isEqualJson(wanted.shortNames, held?.shortNames)) {
    const lost = (wanted.shortNames ?? []).filter(
      (name) => !held?.shortNames?.includes(name) && taken.resources.has(name),
    );
    const texts = lost.map(inUseText);
    const message = texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`;
    if (lost.length > 0) conflict = { reason: 'ShortNamesConflict', message };
    else if (wanted.shortNames) names.shortNames = wanted.shortNames;
    else delete names.shortNames;
  }
  accept('kind', taken.kinds, 'KindConflict');
  accept('listKind', taken.kinds, 'ListKindConflict');
  if (wanted.categories) names.categories = wanted.categories;
  else delete names.categories;
  return { names, conflict };
}

const inUseText = (name: string) => `${JSON.stringify(name)} is already in use`;
