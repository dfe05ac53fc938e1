/** Why an image can't be used, by the reason that a waiting container shows. */
export class ImageError extends Error {
  readonly reason: 'ErrImagePull' | 'ErrImageNeverPull' | 'InvalidImageName' | 'ImageInspectError';

  constructor(reason: ImageError['reason'], message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'ImageError';
    this.reason = reason;
  }
}
