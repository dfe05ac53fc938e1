import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../api/kinds/node.ts';
import type { Pod } from '../api/kinds/pod.ts';
import type { PodSpec } from '../api/parts/podSpec.ts';
import type { Plugin } from './filter.ts';
import { type ClusterEvent, mayHelp } from './hints.ts';
import { hostname, node, pod, zone } from './testing.ts';

const added = (object: Node): ClusterEvent => ({
  about: 'node',
  change: { type: 'added', key: 'n1', object },
});
const changed = (previous: Node, object: Node): ClusterEvent => ({
  about: 'node',
  change: { type: 'modified', key: 'n1', object, previous },
});
const removed: ClusterEvent = { about: 'node', change: { type: 'deleted', key: 'n1', object: node('n1') } };
const about = (what: 'placed' | 'changed' | 'gone', each: Pod = pod('other')): ClusterEvent => ({
  about: 'pod',
  what,
  pod: each,
  namespaceLabels: () => undefined,
});
const volume: ClusterEvent = { about: 'volume' };
const tainted = node('n1', { spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } });
const small = node('n1', { allocatable: { cpu: '1' } });
const large = node('n1', { allocatable: { cpu: '8' } });
const web = pod('web', { labels: { app: 'web' } });
const ssd = node('n1', { labels: { disk: 'ssd' } });
const wantsCpu = pod('a', { requests: { cpu: '4' } });
const wantsSsd = pod('a', { spec: { nodeSelector: { disk: 'ssd' } } });
const term = { topologyKey: hostname, labelSelector: { matchLabels: { app: 'web' } } };
const rule = { requiredDuringSchedulingIgnoredDuringExecution: [term] };
const wantsNear = pod('a', { spec: { affinity: { podAffinity: rule } } as Partial<PodSpec> });
const wantsFar = pod('a', { spec: { affinity: { podAntiAffinity: rule } } as Partial<PodSpec> });
const spreads = pod('a', {
  spec: {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: zone,
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: term.labelSelector,
      },
    ],
  },
});
const port = (name: string, hostPort: number) =>
  pod(name, { spec: { containers: [{ name: 'm', ports: [{ containerPort: 1, hostPort }] }] } });

test('a waiting pod is woken by what can help it, and by nothing else', () => {
  const cases: [string, Plugin | undefined, Pod, ClusterEvent, boolean][] = [
    ['no nodes: one comes', undefined, pod('a'), added(node('n1')), true],
    ['no nodes: a pod goes', undefined, pod('a'), about('gone'), false],
    ['resources: a pod goes', 'NodeResourcesFit', wantsCpu, about('gone'), true],
    ['resources: a pod comes', 'NodeResourcesFit', wantsCpu, about('placed'), false],
    ['resources: a node too small', 'NodeResourcesFit', wantsCpu, added(small), false],
    ['resources: a node large enough', 'NodeResourcesFit', wantsCpu, added(large), true],
    ['resources: a node grows', 'NodeResourcesFit', wantsCpu, changed(small, large), true],
    ['resources: a heartbeat', 'NodeResourcesFit', wantsCpu, changed(large, large), false],
    ['resources: a node goes', 'NodeResourcesFit', wantsCpu, removed, false],
    ['taint: taken away', 'TaintToleration', pod('a'), changed(tainted, node('n1')), true],
    ['taint: still there', 'TaintToleration', pod('a'), changed(tainted, tainted), false],
    ['taint: a tainted node comes', 'TaintToleration', pod('a'), added(tainted), false],
    [
      'taint: the node becomes ready',
      'TaintToleration',
      pod('a'),
      changed(node('n1', { ready: false }), node('n1')),
      true,
    ],
    [
      'cordon: lifted',
      'NodeUnschedulable',
      pod('a'),
      changed(node('n1', { spec: { unschedulable: true } }), node('n1')),
      true,
    ],
    ['cordon: another node changes', 'NodeUnschedulable', pod('a'), changed(node('n1'), ssd), false],
    ['affinity: the label comes', 'NodeAffinity', wantsSsd, changed(node('n1'), ssd), true],
    ['affinity: another node comes', 'NodeAffinity', wantsSsd, added(node('n1')), false],
    ['affinity: a pod goes', 'NodeAffinity', wantsSsd, about('gone'), false],
    ['ports: freed', 'NodePorts', port('a', 80), about('gone', port('b', 80)), true],
    ['ports: another freed', 'NodePorts', port('a', 80), about('gone', port('b', 81)), false],
    ['near: the pod comes', 'InterPodAffinity', wantsNear, about('placed', web), true],
    ['near: another comes', 'InterPodAffinity', wantsNear, about('placed'), false],
    ['near: it goes', 'InterPodAffinity', wantsNear, about('gone', web), false],
    ['far: it goes', 'InterPodAffinity', wantsFar, about('gone', web), true],
    ['far: it comes', 'InterPodAffinity', wantsFar, about('placed', web), false],
    ['refused by one that goes', 'InterPodAffinity', web, about('gone', wantsFar), true],
    ['spread: a counted pod comes elsewhere', 'PodTopologySpread', spreads, about('placed', web), true],
    ['spread: one of another label', 'PodTopologySpread', spreads, about('placed'), false],
    ['spread: a domain goes', 'PodTopologySpread', spreads, removed, true],
    ['volumes: storage changes', 'VolumeBinding', pod('a'), volume, true],
    ['volumes: a pod goes', 'VolumeBinding', pod('a'), about('gone'), false],
    ['exclusive claim: a pod goes', 'VolumeRestrictions', pod('a'), about('gone'), true],
  ];
  for (const [name, plugin, waiting, event, expected] of cases) {
    assert.equal(mayHelp(new Set(plugin ? [plugin] : []), waiting, event), expected, name);
  }
});
