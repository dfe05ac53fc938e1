import { StatusError } from '../base/errors.ts';

/** What the bodies of all requests may keep in memory at a time, as they come and unpacked. */
export const heldBytesMax = 256 * 1024 * 1024;
/** A request of no more than this is taken also when others hold all: it must not be shut out by a few large ones. */
export const smallBytesMax = 64 * 1024;

/** The bytes of one request. */
export interface Held {
  /** Throws ServiceUnavailable when all requests together hold too many. */
  add(bytes: number): void;
  release(): void;
}

// One for the process, for that is what runs out of memory.
let heldBytes = 0;

/** Begins to count what a request keeps in memory, until it is released. */
export function holdBytes(): Held {
  let own = 0;
  return {
    add(bytes) {
      if (heldBytes + bytes > heldBytesMax && own + bytes > smallBytesMax) throw full();
      own += bytes;
      heldBytes += bytes;
    },
    release() {
      heldBytes -= own;
      own = 0;
    },
  };
}

/** What is held at the moment. */
export function heldNow(): number {
  return heldBytes;
}

function full(): StatusError {
  const message = `the requests under way hold ${heldBytes} bytes already, of ${heldBytesMax} at most; try again`;
  return new StatusError('ServiceUnavailable', message, { details: { retryAfterSeconds: 1 } });
}
