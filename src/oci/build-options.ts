import { StatusError } from '../base/errors.ts';
import type { ContentStore } from './content-store.ts';
import type { Descriptor, Platform } from './manifest.ts';

export interface BuildOptions {
  contextDir: string;
  store: ContentStore;
  /** Default: for an isolate `linux/amd64` whatever the machine, else that of the base image or the machine. */
  platform?: Platform;
  /** Values for a Dockerfile's `ARG`s. */
  buildArgs?: Record<string, string>;
  /** Brings an image that a Dockerfile begins FROM into the store, if it isn't there. */
  pullBase?: (reference: string) => Promise<Descriptor>;
  /** Seconds since the epoch that the image says it was created at; default `SOURCE_DATE_EPOCH`, else 0. */
  createdSeconds?: number;
  onProgress?: (message: string) => void;
}

/** The image's creation time, as https://reproducible-builds.org/specs/source-date-epoch/ asks. */
export function createdAt(options: { createdSeconds?: number }): string {
  const variable = process.env.SOURCE_DATE_EPOCH;
  const seconds = options.createdSeconds ?? Number(variable || 0);
  if (!Number.isSafeInteger(seconds) || seconds < 0 || seconds > 253_402_300_799) {
    throw new StatusError('BadRequest', `SOURCE_DATE_EPOCH is "${variable}", expected seconds since 1970`);
  }
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}
