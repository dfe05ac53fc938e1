import {
  conv2d,
  dense,
  flatten,
  input,
  maxPool2d,
  rescaling,
  type Sequential,
  sequential,
} from '../../ml/index.ts';

/**
 * The network of TensorFlow's CIFAR-10 tutorial, with the scaling inside, so that clients send pixels.
 * Source: https://www.tensorflow.org/tutorials/images/cnn.
 */
export function cifar10Network(seed: number, options: { threads?: number } = {}): Sequential {
  return sequential(
    [
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
    ],
    { ...options, name: 'cifar10', seed },
  );
}
