import { conditionOf } from '../api/conditions.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { type Clock, toTime } from '../base/clock.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import { type EventRecorder, subjectOf } from '../client/events.ts';
import type { Failure } from './schedule.ts';

/** Tells what came of scheduling, in events and in the pods' status, and has victims of preemption deleted. */
export class Outcomes {
  #client: Client;
  #clock: Clock;
  #log: Log;
  #events: EventRecorder;
  #schedulerName: string;

  constructor(options: {
    client: Client;
    clock: Clock;
    log: Log;
    events: EventRecorder;
    schedulerName: string;
  }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#events = options.events;
    this.#schedulerName = options.schedulerName;
  }

  succeed(pod: Pod, nodeName: string): void {
    const { namespace, name } = pod.metadata ?? {};
    const message = `Successfully assigned ${namespace}/${name} to ${nodeName}`;
    this.#events.record(subjectOf(podKind, pod), 'Normal', 'Scheduled', message);
  }

  /** `beaten` are pods of lower priority that were nominated to the node that this one is to get. */
  async fail(pod: Pod, { message, preemption }: Failure, beaten: readonly Pod[]): Promise<void> {
    this.#events.record(subjectOf(podKind, pod), 'Warning', 'FailedScheduling', message);
    for (const other of beaten) await this.#patchStatus(other, { nominatedNodeName: null });
    for (const victim of preemption?.victims ?? []) await this.#evict(victim, pod, preemption!.node);
    await this.#markUnscheduled(pod, 'Unschedulable', message, preemption?.node);
  }

  async failToBind(pod: Pod, error: unknown): Promise<void> {
    if (isStatus(error, 'NotFound')) return;
    const { namespace, name } = pod.metadata ?? {};
    this.#log.debug('binding refused', { pod: `${namespace}/${name}`, error: messageOf(error) });
    // Somebody else bound it; the watch will tell where.
    if (isStatus(error, 'Conflict')) return;
    const message = `running Bind plugin "DefaultBinder": ${messageOf(error)}`;
    this.#events.record(subjectOf(podKind, pod), 'Warning', 'FailedScheduling', message);
    await this.#markUnscheduled(pod, 'SchedulerError', message, undefined);
  }

  async #evict(victim: Pod, pod: Pod, nodeName: string): Promise<void> {
    const { namespace, name = '', uid = '', deletionTimestamp } = victim.metadata ?? {};
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: `${this.#schedulerName}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: toTime(this.#clock.nowMs()),
    };
    if (deletionTimestamp) return;
    await this.#patchStatus(victim, { conditions: [condition] });
    await this.#client.delete(podKind, { namespace, name }, { preconditions: { uid } }).catch(ignoreGone);
    const message = `Preempted by pod ${pod.metadata?.uid} on node ${nodeName}`;
    this.#events.record(subjectOf(podKind, victim), 'Normal', 'Preempted', message);
  }

  async #markUnscheduled(
    pod: Pod,
    reason: 'Unschedulable' | 'SchedulerError',
    message: string,
    nominatedNodeName: string | undefined,
  ): Promise<void> {
    const current = conditionOf(pod, 'PodScheduled');
    const isTold = current?.status === 'False' && current.reason === reason && current.message === message;
    if (isTold && (pod.status?.nominatedNodeName ?? '') === (nominatedNodeName ?? '')) return;
    const lastTransitionTime =
      current?.status === 'False' ? current.lastTransitionTime : toTime(this.#clock.nowMs());
    const condition = { type: 'PodScheduled', status: 'False', reason, message, lastTransitionTime };
    const isNominated = nominatedNodeName !== undefined || pod.status?.nominatedNodeName !== undefined;
    await this.#patchStatus(pod, {
      conditions: [condition],
      ...(isNominated && { nominatedNodeName: nominatedNodeName ?? null }),
    });
  }

  async #patchStatus(pod: Pod, status: object): Promise<void> {
    const { name = '', namespace, uid } = pod.metadata ?? {};
    const patch = { type: 'strategic', body: { metadata: { uid }, status } } as const;
    await this.#client
      .patch(podKind, { name, namespace }, patch, { subresource: 'status' })
      .catch(ignoreGone);
  }
}

function ignoreGone(error: unknown): void {
  if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
}
