import { cel } from '../../api/custom/cel.ts';
import type { KindDefinition } from '../../api/kind.ts';
import type { ValidatingAdmissionPolicy } from '../../api/kinds/validatingAdmissionPolicy.ts';
import type { Strategy } from './strategy.ts';

/** Expressions are checked when a policy is written, against the kinds that are served then; its status tells at once. */
export const validatingAdmissionPolicyStrategy = (
  kinds: () => readonly KindDefinition[],
): Strategy<ValidatingAdmissionPolicy> => {
  const settled = (policy: ValidatingAdmissionPolicy): ValidatingAdmissionPolicy['status'] => {
    const expressionWarnings = cel().checkTypes(policy, kinds());
    return {
      ...policy.status,
      observedGeneration: policy.metadata?.generation ?? 1,
      typeChecking: expressionWarnings.length > 0 ? { expressionWarnings } : {},
    };
  };
  return {
    prepareCreate(policy) {
      policy.status = settled({ ...policy, status: {} });
    },
    prepareUpdate(next) {
      next.status = settled(next);
    },
  };
};
