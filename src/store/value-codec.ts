import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { StatusError } from '../base/errors.ts';

export interface Encryption {
  /** Keys under these prefixes are encrypted at rest. */
  prefixes: string[];
  /** 32 bytes, for AES-256-GCM. */
  key: Uint8Array;
}

/** Plain values are stored as text, encrypted ones as bytes: the column's type tells them apart. */
export type StoredValue = string | Uint8Array;

const keyIdBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Turns JSON text into what is stored. An encrypted value is key id, nonce, tag, ciphertext; the object's key is
 * authenticated with it, so that a value copied to another row is refused (NIST SP 800-38D, random 96-bit nonces).
 */
export class ValueCodec {
  readonly keyId: string | undefined;
  #encryption: Encryption | undefined;

  constructor(encryption?: Encryption) {
    if (encryption && encryption.key.length !== 32) {
      throw new StatusError(
        'Invalid',
        `The store's encryption key has ${encryption.key.length} bytes; it needs 32.`,
      );
    }
    this.#encryption = encryption;
    this.keyId = encryption && keyIdOf(encryption.key);
  }

  encode(key: string, json: string): StoredValue {
    const encryption = this.#encryption;
    if (!encryption?.prefixes.some((prefix) => key.startsWith(prefix))) return json;
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', encryption.key, nonce).setAAD(Buffer.from(key));
    const ciphertext = Buffer.concat([cipher.update(json, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.from(this.keyId!, 'hex'), nonce, cipher.getAuthTag(), ciphertext]);
  }

  /** Throws InternalError when the value was encrypted with another key or was tampered with. */
  decode(key: string, stored: StoredValue): string {
    if (typeof stored === 'string') return stored;
    const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
    const keyId = bytes.toString('hex', 0, keyIdBytes);
    if (!this.#encryption || keyId !== this.keyId) throw wrongKey(keyId, this.keyId);
    const nonce = bytes.subarray(keyIdBytes, keyIdBytes + nonceBytes);
    const tag = bytes.subarray(keyIdBytes + nonceBytes, keyIdBytes + nonceBytes + tagBytes);
    const ciphertext = bytes.subarray(keyIdBytes + nonceBytes + tagBytes);
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#encryption.key, nonce, {
        authTagLength: tagBytes,
      });
      decipher.setAAD(Buffer.from(key)).setAuthTag(tag);
      return decipher.update(ciphertext, undefined, 'utf8') + decipher.final('utf8');
    } catch (cause) {
      throw new StatusError(
        'InternalError',
        `The stored value of "${key}" is damaged: it does not decrypt.`,
        {
          cause,
        },
      );
    }
  }
}

/** What to tell when data was encrypted with key `stored` and `given` was offered. */
export function wrongKey(stored: string, given: string | undefined): StatusError {
  return new StatusError(
    'InternalError',
    `The store holds values encrypted with key ${stored}, but ` +
      `${given ? `key ${given} was given` : 'no key was given'}. Put back the key file that belongs to this data folder.`,
  );
}

function keyIdOf(key: Uint8Array): string {
  return createHash('sha256')
    .update('selvage store key id')
    .update(key)
    .digest('hex')
    .slice(0, keyIdBytes * 2);
}
