import type { Pod } from '../../api/kinds/pod.ts';
import type { AdmissionPlugin } from './chain.ts';
import { only } from './handles.ts';

const lost = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

/** A pod stays so long on a node that is lost, unless it says otherwise. */
export const defaultTolerationSeconds = (tolerationSeconds: number): AdmissionPlugin => ({
  name: 'DefaultTolerationSeconds',
  handles: only('pods', 'CREATE', 'UPDATE'),
  mutate({ object }) {
    const { spec } = object as Pod;
    if (!spec) return;
    const given = spec.tolerations ?? [];
    const missing = lost.filter(
      (taint) =>
        !given.some(({ key, effect }) => (key === taint || !key) && (effect === 'NoExecute' || !effect)),
    );
    if (missing.length === 0) return;
    const added = missing.map((key) => ({
      key,
      operator: 'Exists' as const,
      effect: 'NoExecute' as const,
      tolerationSeconds,
    }));
    spec.tolerations = [...given, ...added];
  },
});
