/** Trains the network of TensorFlow's "Convolutional Neural Network" tutorial on CIFAR-10.
 *
 *     node examples/cifar10/train.ts [folder with data_batch_*.bin]   (or $SELVAGE_DATA)
 */
import {
  adam,
  conv2d,
  dense,
  flatten,
  input,
  loadCifar10,
  maxPool2d,
  progressBar,
  rescaling,
  sequential,
  sparseCategoricalCrossentropy,
} from 'selvage/ml';

const dir = process.argv[2] ?? process.env.SELVAGE_DATA;
const { train, test } = await loadCifar10({ dir });

const model = sequential([
  input([32, 32, 3], { dtype: 'uint8' }),
  rescaling(1 / 255),
  conv2d(32, 3, { activation: 'relu' }),
  maxPool2d(2),
  conv2d(64, 3, { activation: 'relu' }),
  maxPool2d(2),
  conv2d(64, 3, { activation: 'relu' }),
  flatten(),
  dense(64, { activation: 'relu' }),
  dense(10),
]);
console.log(model.summary());

model.compile({ optimizer: adam(), loss: sparseCategoricalCrossentropy({ fromLogits: true }) });

await model.fit(train.images, train.labels, {
  epochs: 10,
  validationData: [test.images, test.labels],
  callbacks: [progressBar()],
});

const { accuracy } = await model.evaluate(test.images, test.labels);
console.log(`Test accuracy: ${accuracy.toFixed(4)}`);
