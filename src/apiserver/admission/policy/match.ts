import type { MatchResources, NamedRule } from '../../../api/parts/admissionPolicy.ts';
import type { RuleWithOperations } from '../../../api/parts/webhook.ts';
import type { Store } from '../../../store/store.ts';
import type { AdmissionRequest } from '../chain.ts';
import { isInNamespaces, isRuled, isSelected } from '../webhooks/match.ts';

/** Whether a policy or binding is about a write; one without rules is about all. */
export function isMatched(
  store: Store,
  match: MatchResources | undefined,
  request: AdmissionRequest,
): boolean {
  if (!match) return true;
  const { resourceRules = [], excludeResourceRules = [] } = match;
  return (
    (resourceRules.length === 0 || resourceRules.some((rule) => isNamed(rule, request))) &&
    !excludeResourceRules.some((rule) => isNamed(rule, request)) &&
    isInNamespaces(store, match.namespaceSelector, request) &&
    isSelected(match.objectSelector, request)
  );
}

function isNamed(rule: NamedRule, request: AdmissionRequest): boolean {
  const { resourceNames = [] } = rule;
  // A stored rule has all its lists.
  if (!isRuled(rule as RuleWithOperations, request)) return false;
  return resourceNames.length === 0 || resourceNames.includes(request.name);
}
