import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterRole } from '../api/kinds/clusterRole.ts';
import { aggregate } from './cluster-role-aggregation.ts';

const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
const role = (name: string, labels: Record<string, string>, ...resources: string[]): ClusterRole => ({
  metadata: { name, labels },
  rules: resources.map(rule),
});

test('an aggregated role has the rules of those that it selects, each once, and none of its own', () => {
  const view: ClusterRole = {
    ...role('view', { 'to-view': 'true' }, 'stale'),
    aggregationRule: {
      clusterRoleSelectors: [{ matchLabels: { 'to-view': 'true' } }, { matchLabels: { 'to-all': 'true' } }],
    },
  };
  const all = [
    view,
    role('z', { 'to-view': 'true' }, 'pods', 'services'),
    role('a', { 'to-all': 'true' }, 'nodes', 'pods'),
    role('b', { 'to-view': 'false' }, 'secrets'),
  ];
  assert.deepEqual(aggregate(view, all), ['nodes', 'pods', 'services'].map(rule));
  assert.deepEqual(aggregate({ ...view, aggregationRule: { clusterRoleSelectors: [] } }, all), []);
});
