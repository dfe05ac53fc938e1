import { type Example, meta } from './example.ts';

const spec = {
  dataset: { imageFolder: { height: 32, width: 32 }, volume: { image: { reference: 'data/parts:1' } } },
  model: { module: { image: 'my-model:1' } },
  loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
  output: 'models/parts:v2',
  promote: { inferenceService: 'parts' },
};
const at = 'spec.dataset';
const federated = (changes: object) => ({ spec: { promote: null, federated: { rounds: 3, ...changes } } });

const runtime = {
  supportedModelFormats: [{ name: 'sklearn', version: '1', autoSelect: true, priority: 2 }],
  protocolVersions: ['v1'],
  containers: [
    {
      name: 'kserve-container',
      image: 'sklearn-server:1',
      args: ['--model_name={{.Name}}', '--model_dir=/mnt/models'],
    },
  ],
};
const formats = 'spec.supportedModelFormats';

/** A runtime of a namespace and one of the cluster say the same. */
const runtimeExamples: Example[] = ['ServingRuntime', 'ClusterServingRuntime'].map((kind) => ({
  kind,
  apiVersion: 'serving.kserve.io/v1alpha1',
  object: { ...meta('sklearn'), spec: runtime },
  change: { spec: { disabled: true } },
  invalid: [
    [{ spec: { containers: null } }, ['spec.containers: Required value']],
    [{ spec: { supportedModelFormats: [{ version: '1' }] } }, [`${formats}[0].name: Required value`]],
    [
      { spec: { supportedModelFormats: [{ name: 'sklearn', priority: 0 }] } },
      [`${formats}[0].priority: Invalid value: 0: must be greater than 0`],
    ],
  ],
}));

export const learningExamples: Example[] = [
  ...runtimeExamples,
  {
    kind: 'TrainingJob',
    apiVersion: 'learning.selvage.dev/v1alpha1',
    object: { ...meta('parts'), spec },
    change: { spec: { suspend: true, ttlSecondsAfterFinished: 60 } },
    invalid: [
      [
        { spec: { dataset: { imageFolder: null, volume: null } } },
        [`${at}: Required value: one of cifar10, csv, generated, imageFolder, npz`],
      ],
      [
        { spec: { dataset: { npz: { path: 'a.npz' } } } },
        [`${at}.npz: Forbidden: may not be beside imageFolder`],
      ],
      [
        { spec: { dataset: { volume: null } } },
        [`${at}.volume: Required value: one of configMap, hostPath, image, persistentVolumeClaim`],
      ],
      [
        { spec: { dataset: { volume: { configMap: { name: 'data' } } } } },
        [`${at}.volume: Forbidden: may not specify more than 1 volume type`],
      ],
      [{ spec: { model: { keras: '{}' } } }, ['spec.model.module: Forbidden: may not be beside keras']],
      [
        { spec: { model: { module: null, keras: 'Sequential' } } },
        ['spec.model.keras: Invalid value: "Sequential": must be the text that to_json() of Keras gives'],
      ],
      [
        { spec: { output: 'my-app:1' } },
        [
          'spec.output: Invalid value: "my-app:1": must be models/<name>:<tag>, a place in the registry of the cluster',
        ],
      ],
      [
        { spec: { output: 'models/team/parts:v2' } },
        [
          'spec.output: Invalid value: "models/team/parts:v2": must be models/default/<name>:<tag>: other places belong to other namespaces',
        ],
      ],
      [
        { spec: { output: null } },
        ['spec.output: Required value: a model must be in the registry to be promoted'],
      ],
      [
        { spec: { dataset: { validationSplit: 0.1 } } },
        [`${at}.validationSplit: Forbidden: an image folder is read while it is trained on: use testSplit`],
      ],
      [
        { spec: { loss: { name: 'huber', fromLogits: null } } },
        [
          'spec.promote.metric: Invalid value: "accuracy": huber learns values, which have no accuracy: name mae, mse or rootMeanSquaredError',
        ],
      ],
      [
        { spec: { promote: null, federated: { rounds: 3, clients: 4, quorum: 5 } } },
        ['spec.federated.quorum: Invalid value: 5: must not be more than clients'],
      ],
      [
        { spec: { promote: null, federated: { rounds: 3, noiseMultiplier: 1 } } },
        ['spec.federated.clipNorm: Required value: noise means nothing without a bound of what it hides'],
      ],
      [
        federated({ noiseMultiplier: 1, clipNorm: 1, staleness: 2 }),
        ['spec.federated.staleness: Invalid value: 2: must be 0 with noise: a late update has no part in it'],
      ],
      [
        federated({ algorithm: 'FedProx' }),
        ["spec.federated.mu: Required value: FedProx' proximal term has a weight"],
      ],
      [federated({ mu: 0.1 }), ['spec.federated.mu: Forbidden: may not be set without algorithm FedProx']],
      [federated({ delta: 1 }), ['spec.federated.delta: Invalid value: 1: must be between 0 and 1']],
      [federated({ clipNorm: 0 }), ['spec.federated.clipNorm: Invalid value: 0: must be greater than 0']],
    ],
  },
];
