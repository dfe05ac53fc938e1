import type { Namespace } from '../../api/kinds/namespace.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Call, Context } from '../context.ts';
import { readObject } from '../decode.ts';
import { readWriteOptions } from '../options.ts';
import { change } from './update.ts';

/** Answers a PUT of a namespace's finalizers: when none is left and deletion has begun, the namespace goes. */
export function finalize(context: Context, call: Call): Promise<KubeObject> {
  const options = readWriteOptions(call.request);
  const body = readObject(call, call.request.body, options.fieldValidation) as Namespace;
  return change(context, call, {
    part: 'any',
    dryRun: options.dryRun,
    next: (current) => {
      const { resourceVersion, uid } = body.metadata ?? {};
      const finalizers = body.spec?.finalizers ?? [];
      const metadata = { ...current.metadata, resourceVersion, uid } as NonNullable<KubeObject['metadata']>;
      return {
        ...structuredClone(current),
        metadata,
        spec: finalizers.length > 0 ? { finalizers } : {},
      } as Namespace;
    },
  });
}
