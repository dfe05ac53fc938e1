import type { MatchResources, NamedRule } from '../../../api/parts/admissionPolicy.ts';
import type { RuleWithOperations } from '../../../api/parts/webhook.ts';
import type { Store } from '../../../store/store.ts';
import type { Resource } from '../../context.ts';
import type { ResourceInfo } from '../../request-info.ts';
import type { AdmissionRequest } from '../chain.ts';
import { meantAs, type ServedResources } from '../equivalent.ts';
import { isInNamespaces, isRuled, isSelected } from '../webhooks/match.ts';

/** As which resource a policy or binding is about a write; one without rules is about all. */
export function matchedAs(
  { store, resources }: { store: Store; resources: ServedResources },
  match: MatchResources | undefined,
  request: AdmissionRequest,
): Resource | undefined {
  if (!match) return request.resource;
  const { resourceRules = [], excludeResourceRules = [], matchPolicy } = match;
  const meant = (rules: readonly NamedRule[]) =>
    meantAs(request, resources, matchPolicy, (info) => rules.some((rule) => isNamed(rule, request, info)));
  const resource = resourceRules.length === 0 ? request.resource : meant(resourceRules);
  if (!resource || (excludeResourceRules.length > 0 && meant(excludeResourceRules))) return undefined;
  const isChosen =
    isInNamespaces(store, match.namespaceSelector, request) && isSelected(match.objectSelector, request);
  return isChosen ? resource : undefined;
}

function isNamed(rule: NamedRule, request: AdmissionRequest, info: ResourceInfo): boolean {
  const { resourceNames = [] } = rule;
  // A stored rule has all its lists.
  if (!isRuled(rule as RuleWithOperations, request, info)) return false;
  return resourceNames.length === 0 || resourceNames.includes(request.name);
}
