import { toTime } from '../../base/clock.ts';
import { type PodRecord, parseContainerId } from '../pods/record.ts';
import type { ContainerUsage } from '../runtimes/shim/client.ts';

/** Kubelet's `/stats/summary`: CPU and memory of the node's agent and of every running container. */
export function statsSummary(options: {
  nodeName: string;
  nowMs: number;
  startedAtMs: number;
  machine: { memoryBytes: number; memoryAvailableBytes: number; cpuSeconds: number };
  records: PodRecord[];
  usage: ContainerUsage[];
}): unknown {
  const { nodeName, nowMs, startedAtMs, machine, records, usage } = options;
  const time = toTime(nowMs);
  const byPod = Map.groupBy(usage, ({ id }) => parseContainerId(id)?.uid);
  return {
    node: {
      nodeName,
      startTime: toTime(startedAtMs),
      cpu: { time, usageCoreNanoSeconds: Math.round(machine.cpuSeconds * 1e9) },
      memory: {
        time,
        availableBytes: machine.memoryAvailableBytes,
        workingSetBytes: machine.memoryBytes - machine.memoryAvailableBytes,
      },
    },
    pods: records.map((record) => ({
      podRef: { name: record.name, namespace: record.namespace, uid: record.uid },
      startTime: toTime(record.acceptedAtMs),
      containers: (byPod.get(record.uid) ?? []).map((each) => ({
        name: parseContainerId(each.id)!.container,
        cpu: { time, usageCoreNanoSeconds: Math.round(each.cpuSeconds * 1e9) },
        memory: { time, workingSetBytes: each.workingSetBytes, rssBytes: each.rssBytes },
        ...(each.load && { userDefinedMetrics: requestMetrics(each.load, time) }),
      })),
    })),
  };
}

/** What the pod's servers had to do, in the form that kubelet has for numbers of a container's own. */
function requestMetrics({ requests, busyMs, active }: NonNullable<ContainerUsage['load']>, time: string) {
  const metric = (name: string, type: 'gauge' | 'cumulative', units: string, value: number) => {
    return { name, type, units, time, value };
  };
  return [
    metric('requests', 'cumulative', 'count', requests),
    metric('request_milliseconds', 'cumulative', 'ms', busyMs),
    metric('requests_active', 'gauge', 'count', active),
  ];
}
