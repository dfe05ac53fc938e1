import { conditionOf } from '../../api/conditions.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { Service } from '../../api/kinds/service.ts';

/** Says since when what an EndpointSlice or Endpoints tells is true; whoever programs routes measures its delay by it. */
export const triggerTimeAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time';

interface Seen {
  service: string;
  pods: Map<string, string>;
}

/** What of each Service and its pods was last seen to change, and when. */
export class TriggerTimes {
  #seen = new Map<string, Seen>();

  /**
   * When the first of the changes happened that came since the last call for this Service; undefined when nothing of
   * them says so. Of a Service that is new here it is the Service's own age.
   */
  next(key: string, service: Service, pods: readonly Pod[]): string | undefined {
    const before = this.#seen.get(key);
    const created = service.metadata?.creationTimestamp ?? '';
    const times = new Map<string, string>();
    const changed: string[] = [];
    for (const pod of pods) {
      const time = conditionOf(pod, 'Ready')?.lastTransitionTime;
      const name = pod.metadata?.name ?? '';
      if (!time) continue;
      times.set(name, time);
      if (time > (before?.pods.get(name) ?? '')) changed.push(time);
    }
    this.#seen.set(key, { service: created, pods: times });
    if (!before) return created || undefined;
    if (created > before.service) changed.push(created);
    return changed.sort()[0];
  }

  forget(key: string): void {
    this.#seen.delete(key);
  }
}

/** The annotations with the time of the change that made the object what it is, or with none. */
export function withTriggerTime(
  annotations: Record<string, string> | undefined,
  time: string | undefined,
): Record<string, string> {
  const { [triggerTimeAnnotation]: _, ...others } = annotations ?? {};
  return time ? { ...others, [triggerTimeAnnotation]: time } : others;
}
