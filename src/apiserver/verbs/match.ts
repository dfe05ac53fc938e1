import { demandedField, fieldSelector, selectedName } from '../../api/field-selector.ts';
import type { KindDefinition } from '../../api/kind.ts';
import { labelSelector } from '../../api/label-selector.ts';
import type { KubeObject } from '../../api/object.ts';
import type { FieldValue } from '../../store/store.ts';
import type { Call } from '../context.ts';
import { keyOf, prefixOf } from '../stored.ts';

/** Which objects a list, watch or deletecollection is about. */
export interface Selection {
  /** Where in the store they lie. */
  prefix: string;
  matches(object: KubeObject): boolean;
  /** Of what is stored, only that with this value in this field can match. */
  where?: FieldValue | undefined;
  /** True when nothing under the prefix is filtered out, so that it need not be asked. */
  matchesAll: boolean;
}

export function selectionOf(
  call: Call,
  selectors: { labelSelector: string; fieldSelector: string },
): Selection {
  const { kind } = call.resource;
  const { namespace } = call.info;
  const name = call.info.name ?? selectedName(selectors.fieldSelector);
  const tests: ((object: KubeObject) => boolean)[] = [];
  if (name !== undefined) tests.push((object) => object.metadata?.name === name);
  if (selectors.labelSelector !== '') tests.push(labelSelector(selectors.labelSelector));
  if (selectors.fieldSelector !== '') tests.push(fieldSelector(kind, selectors.fieldSelector));
  const isOne = name !== undefined && (!kind.namespaced || namespace !== undefined);
  return {
    prefix: isOne ? keyOf(kind, namespace, name) : prefixOf(kind, kind.namespaced ? namespace : undefined),
    matchesAll: tests.length === 0,
    where: storedField(kind, selectors.fieldSelector),
    matches: (object) => tests.every((test) => test(object)),
  };
}

/** What is stored in another form than it is served in has other fields. */
function storedField(kind: KindDefinition, text: string): FieldValue | undefined {
  if (kind.custom || kind.storedAs) return undefined;
  // Under the prefix of a kind lie its objects.
  return demandedField(kind, text) as FieldValue | undefined;
}
