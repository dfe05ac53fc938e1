import { type ResourceQuota, resourceQuota } from '../../../api/kinds/resourceQuota.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Log } from '../../../base/log.ts';
import type { Store } from '../../../store/store.ts';
import { conflict, groupResource } from '../../failures.ts';
import type { HeldObjects } from '../../held-objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../chain.ts';
import { judge, takenBy } from './judge.ts';
import { type Charges, QuotaLedger } from './ledger.ts';

/** Kinds of which an update may take more than there was. */
const grows = ['services', 'persistentvolumeclaims'];

/**
 * Keeps a namespace within its ResourceQuotas: what a write takes is charged before it is stored.
 * Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/
 */
export function resourceQuotaPlugin(
  context: { store: Store; clock: Clock; log: Log },
  quotas: HeldObjects<ResourceQuota>,
): AdmissionPlugin {
  const ledger = new QuotaLedger(context);
  return {
    name: 'ResourceQuota',
    handles(operation, kind, subresource) {
      if (!kind.namespaced) return false;
      if (kind.plural === 'resourcequotas' && subresource === 'status') return operation === 'UPDATE';
      if (subresource !== undefined) return false;
      return operation === 'CREATE' || (operation === 'UPDATE' && grows.includes(groupResource(kind)));
    },
    isIdle: () => quotas.isEmpty,
    validate(request) {
      const namespace = request.namespace!;
      if (request.subresource === 'status') return checkCount(request, ledger);
      const taken = takenBy(request, context.clock.nowMs());
      if (Object.keys(taken).length === 0 || quotas.in(namespace).length === 0) return;
      const judgeAll = (held: readonly ResourceQuota[]): Charges => {
        const charges: Charges = new Map();
        for (const quota of held) {
          const amounts = judge(quota, request, taken);
          if (amounts) charges.set(quota.metadata!.name!, amounts);
        }
        return charges;
      };
      if (request.dryRun) {
        judgeAll(quotas.in(namespace));
        return;
      }
      return ledger.charge(namespace, judgeAll).then((charges) => {
        request.afterwards((isStored) => ledger.settle(namespace, charges, isStored));
      });
    },
  };
}

/** A count of what is stored misses what is charged and on its way there; its writer has to count again. */
function checkCount(request: AdmissionRequest, ledger: QuotaLedger): void {
  if (ledger.isOpen(request.namespace!)) throw conflict(resourceQuota, request.name);
}
