import type { ValidatingAdmissionPolicy } from '../../api/kinds/validatingAdmissionPolicy.ts';
import type { Strategy } from './strategy.ts';

/** Expressions are checked when a policy is written, so its status is settled then. */
export const validatingAdmissionPolicyStrategy: Strategy<ValidatingAdmissionPolicy> = {
  prepareCreate(policy) {
    policy.status = { observedGeneration: policy.metadata?.generation ?? 1, typeChecking: {} };
  },
  prepareUpdate(next) {
    next.status = { ...next.status, observedGeneration: next.metadata?.generation ?? 1, typeChecking: {} };
  },
};
