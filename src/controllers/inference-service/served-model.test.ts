import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment } from '../../api/kinds/deployment.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { modelReferenceAnnotation } from '../../api/model-annotations.ts';
import type { PodQuestions, WeightsTold } from './pod-questions.ts';
import { servedModel } from './served-model.ts';

const metadata = { annotations: { [modelReferenceAnnotation]: 'm:v2' } };
const latest: Deployment = {
  metadata: { ...metadata, generation: 1 },
  spec: { replicas: 2, selector: {}, template: {} },
  status: { observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 },
};
const pod: Pod = { metadata, status: { conditions: [{ type: 'Ready', status: 'True' }] } };
const model = { reference: 'm:v2', weights: 'sha256:new' };

function ask(told: Partial<WeightsTold>[]) {
  const answers = told.map((each, i) => ({ pod: `p${i}`, weights: undefined, refused: undefined, ...each }));
  const questions = { weights: async () => answers } as unknown as PodQuestions;
  // Only what the question needs of a known model.
  const seen = { model: model as never, pods: told.map(() => pod), questions };
  return servedModel({ metadata: { name: 'm' } }, latest, seen);
}

test('a model is served when all pods answer by it', async () => {
  const served = await ask([{ weights: 'sha256:new' }, { weights: 'sha256:new' }]);
  assert.deepEqual(served, { reference: 'm:v2', isSwapping: false });
});

test('a pod that refused the wanted weights is told, one that refused others is still getting them', async () => {
  const refused = { message: 'cut short', weights: 'sha256:new' };
  const blocked = await ask([{ weights: 'sha256:new' }, { weights: 'sha256:old', refused }]);
  assert.deepEqual(blocked, {
    reference: undefined,
    isSwapping: true,
    failure: { message: 'cut short', location: 'p1' },
  });
  const earlier = { ...refused, weights: 'sha256:older' };
  const waiting = await ask([{ weights: 'sha256:old', refused: earlier }]);
  assert.deepEqual([waiting.isSwapping, waiting.failure], [true, undefined]);
});
