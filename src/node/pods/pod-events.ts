import type { EventRecorder, EventSubject } from '../../client/events.ts';
import { ephemeralContainersOf, initContainersOf, type PodRecord } from './record.ts';

/** Tells people what happens to one pod, in the words that kubelet uses. */
export interface PodEvents {
  normal(reason: string, message: string, container?: string): void;
  warning(reason: string, message: string, container?: string): void;
}

export function podEvents(record: PodRecord, recorder: EventRecorder): PodEvents {
  const subject = (container?: string): EventSubject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: record.namespace,
    name: record.name,
    uid: record.uid,
    resourceVersion: record.pod.metadata?.resourceVersion,
    ...(container && { fieldPath: fieldPath(record, container) }),
  });
  return {
    normal: (reason, message, container) => recorder.record(subject(container), 'Normal', reason, message),
    warning: (reason, message, container) => recorder.record(subject(container), 'Warning', reason, message),
  };
}

function fieldPath(record: PodRecord, container: string): string {
  const isIn = (containers: { name: string }[]) => containers.some(({ name }) => name === container);
  const field = isIn(initContainersOf(record))
    ? 'initContainers'
    : isIn(ephemeralContainersOf(record))
      ? 'ephemeralContainers'
      : 'containers';
  return `spec.${field}{${container}}`;
}
