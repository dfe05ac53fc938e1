import { namespace as namespaceKind } from '../../../api/kinds/namespace.ts';
import type { ValidatingAdmissionPolicy } from '../../../api/kinds/validatingAdmissionPolicy.ts';
import type { ValidatingAdmissionPolicyBinding } from '../../../api/kinds/validatingAdmissionPolicyBinding.ts';
import { messageOf } from '../../../base/errors.ts';
import type { Attributes, Decision } from '../../authorization/authorize.ts';
import type { Resource } from '../../context.ts';
import type { HeldObjects } from '../../held-objects.ts';
import { keyOf, objectOf } from '../../stored.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../chain.ts';
import { seenAs } from '../equivalent.ts';
import { requestBindings } from '../webhooks/conditions.ts';
import { CompiledPolicy, type Outcome } from './evaluate.ts';
import { matchedAs } from './match.ts';
import { type ParamSource, paramsOf } from './params.ts';
import { PolicyRefusal } from './refusal.ts';

export interface PolicyContext extends ParamSource {
  policies: HeldObjects<ValidatingAdmissionPolicy>;
  bindings: HeldObjects<ValidatingAdmissionPolicyBinding>;
  authorize(attributes: Attributes): Decision;
}

interface Bound {
  policy: ValidatingAdmissionPolicy;
  /** The version of the object that it is about. */
  resource: Resource;
  bindings: ValidatingAdmissionPolicyBinding[];
}

/** A note for the audit log is cut there. */
const annotationLengthMax = 10 * 1024;

/**
 * Evaluates the policies that are bound to a write.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 */
export function validatingAdmissionPolicyPlugin(context: PolicyContext): AdmissionPlugin {
  const compiled = new WeakMap<ValidatingAdmissionPolicy, CompiledPolicy>();
  return {
    name: 'ValidatingAdmissionPolicy',
    // Policies can lock nobody out of themselves.
    handles: (_operation, { group }) => group !== 'admissionregistration.k8s.io',
    isIdle: () => context.bindings.isEmpty,
    validate(request) {
      const matching = matchingPolicies(context, request);
      return matching.length > 0 ? judge(context, compiled, matching, request) : undefined;
    },
  };
}

function matchingPolicies(context: PolicyContext, request: AdmissionRequest): Bound[] {
  const all = context.bindings.all();
  return context.policies.all().flatMap((policy) => {
    const resource = matchedAs(context, policy.spec?.matchConstraints, request);
    if (!resource) return [];
    const bindings = all.filter(
      ({ spec }) =>
        spec?.policyName === policy.metadata?.name && matchedAs(context, spec?.matchResources, request),
    );
    return bindings.length > 0 ? [{ policy, resource, bindings }] : [];
  });
}

async function judge(
  context: PolicyContext,
  compiled: WeakMap<ValidatingAdmissionPolicy, CompiledPolicy>,
  matching: readonly Bound[],
  request: AdmissionRequest,
): Promise<void> {
  const cel = await import('../../../api/cel/index.ts');
  const namespaceObject = namespaceOf(context, request);
  const views = new Map<Resource, Promise<Record<string, unknown>>>();
  const givenAs = (resource: Resource) => {
    const given = views.get(resource) ?? bindingsAs(resource);
    views.set(resource, given);
    return given;
  };
  const bindingsAs = async (resource: Resource) => {
    const view = await seenAs(request, resource);
    return { ...(await requestBindings(view, context.authorize)), namespaceObject };
  };
  const denials: { message: string; reason: string }[] = [];
  for (const { policy, resource, bindings } of matching) {
    const name = policy.metadata!.name!;
    const notes = new Map<string, Set<string>>();
    for (const binding of bindings) {
      const prefix = `ValidatingAdmissionPolicy '${name}' with binding '${binding.metadata!.name}' denied request: `;
      try {
        const program = compiled.get(policy) ?? new CompiledPolicy(cel, policy);
        compiled.set(policy, program);
        const given = await givenAs(resource);
        for (const params of await paramsOf(context, policy, binding.spec?.paramRef, request.namespace)) {
          const outcome = program.evaluate(given, params);
          if (!outcome) continue;
          act(request, policy, binding, outcome, (failure) =>
            denials.push({ message: prefix + failure.message, reason: failure.reason }),
          );
          for (const { key, value } of outcome.annotations) {
            notes.set(key, (notes.get(key) ?? new Set()).add(value.slice(0, annotationLengthMax)));
          }
        }
      } catch (error) {
        if (policy.spec?.failurePolicy === 'Ignore') continue;
        denials.push({
          message: `${prefix}failed to configure binding: ${messageOf(error)}`,
          reason: 'Invalid',
        });
      }
    }
    for (const [key, values] of notes) request.annotateAudit(`${name}/${key}`, [...values].join(', '));
  }
  const [first] = denials;
  if (first) throw new PolicyRefusal(request, first.message, first.reason);
}

function act(
  request: AdmissionRequest,
  policy: ValidatingAdmissionPolicy,
  binding: ValidatingAdmissionPolicyBinding,
  { failures }: Outcome,
  deny: (failure: Outcome['failures'][number]) => void,
): void {
  const [policyName, bindingName] = [policy.metadata!.name!, binding.metadata!.name!];
  const { validationActions = [] } = binding.spec ?? {};
  for (const failure of failures) {
    if (validationActions.includes('Deny')) deny(failure);
    if (validationActions.includes('Warn')) {
      request.warn(
        `Validation failed for ValidatingAdmissionPolicy '${policyName}' with binding '${bindingName}': ${failure.message}`,
      );
    }
    if (validationActions.includes('Audit')) {
      const note = {
        message: failure.message,
        policy: policyName,
        binding: bindingName,
        expressionIndex: failure.index,
        validationActions,
      };
      request.annotateAudit('validation.policy.admission.k8s.io/validation_failure', JSON.stringify([note]));
    }
  }
}

/** Null for what lies in no namespace, and for namespaces themselves. */
function namespaceOf({ store }: PolicyContext, { namespace, resource }: AdmissionRequest): object | null {
  if (namespace === undefined || resource.kind === namespaceKind) return null;
  const stored = store.get(keyOf(namespaceKind, undefined, namespace));
  return stored ? objectOf(stored) : null;
}
