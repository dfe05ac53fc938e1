import type { Pod } from '../kinds/pod.ts';
import { addQuantities, compareQuantities } from '../quantity.ts';

type Amounts = Record<string, string>;
type Field = 'requests' | 'limits';

/** What a pod asks for: its containers together, or more where an init container needs more; with its overhead. */
export function podRequests(pod: Pod): Amounts {
  return sumOf(pod, 'requests');
}

/** The same of its limits; the overhead counts where there is a limit at all. */
export function podLimits(pod: Pod): Amounts {
  return sumOf(pod, 'limits');
}

function sumOf({ spec }: Pod, field: Field): Amounts {
  let running: Amounts = {};
  for (const { resources } of spec?.containers ?? []) running = plus(running, resources?.[field]);
  // Sidecars go on running beside what comes after them; other init containers run one at a time.
  let [sidecars, peak]: [Amounts, Amounts] = [{}, {}];
  for (const { resources, restartPolicy } of spec?.initContainers ?? []) {
    if (restartPolicy === 'Always') {
      running = plus(running, resources?.[field]);
      sidecars = plus(sidecars, resources?.[field]);
      peak = larger(peak, sidecars);
    } else peak = larger(peak, plus(sidecars, resources?.[field]));
  }
  const total = larger(running, peak);
  for (const [name, amount] of Object.entries((spec?.overhead as Amounts | undefined) ?? {})) {
    if (field === 'requests' || total[name] !== undefined)
      total[name] = addQuantities(total[name] ?? '0', amount);
  }
  return total;
}

function plus(sum: Amounts, more: Amounts | undefined): Amounts {
  const total = { ...sum };
  for (const [name, amount] of Object.entries(more ?? {}))
    total[name] = addQuantities(total[name] ?? '0', amount);
  return total;
}

function larger(a: Amounts, b: Amounts): Amounts {
  const most = { ...a };
  for (const [name, amount] of Object.entries(b)) {
    if (most[name] === undefined || compareQuantities(amount, most[name]) > 0) most[name] = amount;
  }
  return most;
}
