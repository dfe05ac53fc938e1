import { conv2d, dense, flatten, input, maxPool2d, rescaling, sequential } from 'selvage/ml';

export default ({ seed, shape, classNames = [] }: { seed: number; shape: number[]; classNames?: string[] }) =>
  sequential(
    [
      input(shape, { dtype: 'uint8' }),
      rescaling(1 / 255),
      conv2d(16, 3, { activation: 'relu' }),
      maxPool2d(2),
      conv2d(32, 3, { activation: 'relu' }),
      maxPool2d(2),
      flatten(),
      dense(classNames.length),
    ],
    { name: 'mine', seed },
  );
