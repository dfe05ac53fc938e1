import { namespace as namespaceKind } from '../../../api/kinds/namespace.ts';
import { labelSelector } from '../../../api/label-selector.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { LabelSelector } from '../../../api/parts/meta.ts';
import type { RuleWithOperations } from '../../../api/parts/webhook.ts';
import type { Store } from '../../../store/store.ts';
import type { Resource } from '../../context.ts';
import type { ResourceInfo } from '../../request-info.ts';
import { keyOf } from '../../stored.ts';
import type { AdmissionRequest } from '../chain.ts';
import { meantAs, type ServedResources } from '../equivalent.ts';
import type { Hook } from './hooks.ts';

/** As which resource a webhook is to be asked about a request; undefined where it is not. */
export function matched(
  { store, resources }: { store: Store; resources: ServedResources },
  { webhook }: Hook,
  request: AdmissionRequest,
): Resource | undefined {
  const { rules = [], matchPolicy, namespaceSelector, objectSelector } = webhook;
  const isMeant = (info: ResourceInfo) => rules.some((rule) => isRuled(rule, request, info));
  const resource = meantAs(request, resources, matchPolicy, isMeant);
  if (!resource || !isInNamespaces(store, namespaceSelector, request)) return undefined;
  return isSelected(objectSelector, request) ? resource : undefined;
}

export function isRuled(rule: RuleWithOperations, request: AdmissionRequest, info: ResourceInfo): boolean {
  const { group, version, resource } = info;
  const has = (values: readonly string[], value: string) => values.includes('*') || values.includes(value);
  return (
    has(rule.operations, request.operation) &&
    has(rule.apiGroups, group) &&
    has(rule.apiVersions, version) &&
    isScope(rule.scope ?? '*', request.namespace !== undefined) &&
    rule.resources.some((pattern) => isResource(pattern, resource, request.subresource ?? ''))
  );
}

function isScope(scope: string, isNamespaced: boolean): boolean {
  return scope === '*' || (scope === 'Namespaced') === isNamespaced;
}

/** `pods`, `pods/log`, `*`, `pods/*`, `*` + `/scale`. */
function isResource(pattern: string, resource: string, subresource: string): boolean {
  const [main, sub = ''] = pattern.split('/');
  return (main === '*' || main === resource) && (sub === '*' || sub === subresource);
}

/** A namespace is chosen by its own labels, what is in one by those of its namespace; the rest always. */
export function isInNamespaces(
  store: Store,
  selector: LabelSelector | undefined,
  request: AdmissionRequest,
): boolean {
  if (isAll(selector)) return true;
  const name = request.resource.kind === namespaceKind ? request.name : request.namespace;
  if (name === undefined) return true;
  const stored = store.get(keyOf(namespaceKind, undefined, name))?.value as KubeObject | undefined;
  const isOwn = request.resource.kind === namespaceKind && request.subresource === undefined;
  return labelSelector(selector)((isOwn && request.object) || stored || {});
}

/** An update is of interest when the object was chosen, or will be. */
export function isSelected(
  selector: LabelSelector | undefined,
  { object, oldObject }: AdmissionRequest,
): boolean {
  if (isAll(selector)) return true;
  const isChosen = labelSelector(selector);
  return [object, oldObject].some((each) => each && isChosen(each));
}

const isAll = (selector: LabelSelector | undefined) =>
  !selector?.matchLabels && (selector?.matchExpressions ?? []).length === 0;
