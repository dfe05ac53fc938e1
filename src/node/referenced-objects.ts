import { configMap, persistentVolume, persistentVolumeClaim, secret } from '../api/addresses.ts';
import type { ConfigMap } from '../api/kinds/configMap.ts';
import type { PersistentVolume } from '../api/kinds/persistentVolume.ts';
import type { PersistentVolumeClaim } from '../api/kinds/persistentVolumeClaim.ts';
import type { Secret } from '../api/kinds/secret.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { isStatus, StatusError } from '../base/errors.ts';
import type { Client } from '../client/client.ts';
import type { ReferencedObjects } from './pods/environment.ts';
import type { NodeState } from './state.ts';

/**
 * Reads ConfigMaps, Secrets, claims and volumes from the API server and remembers them, so that pods that use them
 * can start again while it is away. A missing object is `NotFound`, worded as kubelet does; only then is the copy forgotten.
 */
export function referencedObjects(options: { client: Client; state: NodeState }): ReferencedObjects {
  const { client, state } = options;
  const read = async <T extends KubeObject>(
    kind: KindAddress<T>,
    namespace: string | undefined,
    name: string,
  ): Promise<T> => {
    const key = `${namespace ?? ''}/${name}`;
    try {
      const object = await client.get(kind, { namespace, name });
      state.saveObject(kind.kind, key, object);
      return object;
    } catch (error) {
      if (isStatus(error, 'NotFound')) {
        state.removeObject(kind.kind, key);
        throw new StatusError('NotFound', `${kind.kind.toLowerCase()} "${name}" not found`, { cause: error });
      }
      const copy = state.object(kind.kind, key);
      if (copy === undefined) throw error;
      // It was stored above as an object of this kind.
      return copy as T;
    }
  };
  return {
    configMap: (namespace, name) => read<ConfigMap>(configMap, namespace, name),
    claim: (namespace, name) => read<PersistentVolumeClaim>(persistentVolumeClaim, namespace, name),
    persistentVolume: (name) => read<PersistentVolume>(persistentVolume, undefined, name),
    secret: (namespace, name) => read<Secret>(secret, namespace, name),
  };
}
