import type { Ingress } from '../../api/kinds/ingress.ts';
import { ingressClass } from '../../api/kinds/ingressClass.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Store } from '../../store/store.ts';
import { prefixOf } from '../stored.ts';
import type { AdmissionPlugin } from './chain.ts';
import { only } from './handles.ts';

const isDefault = 'ingressclass.kubernetes.io/is-default-class';
const formerClass = 'kubernetes.io/ingress.class';

/** An Ingress that names no class gets the default one: of several the newest, and of those the first by name. */
export function defaultIngressClassPlugin(store: Store): AdmissionPlugin {
  return {
    name: 'DefaultIngressClass',
    handles: only('ingresses.networking.k8s.io', 'CREATE'),
    mutate({ object }) {
      const ingress = object as Ingress;
      if (ingress.spec?.ingressClassName !== undefined || ingress.metadata?.annotations?.[formerClass])
        return;
      const age = (each: KubeObject) => each.metadata!.creationTimestamp!;
      const [found] = store
        .list(prefixOf(ingressClass))
        .items.map(({ value }) => value as KubeObject)
        .filter(({ metadata }) => metadata?.annotations?.[isDefault] === 'true')
        .sort((a, b) => (age(a) === age(b) ? 0 : age(a) > age(b) ? -1 : 1));
      if (found)
        ingress.spec = { ...ingress.spec, ingressClassName: found.metadata!.name! } as Ingress['spec'] & {};
    },
  };
}
