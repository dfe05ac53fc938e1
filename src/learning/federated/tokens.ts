import { createHmac, timingSafeEqual } from 'node:crypto';

/** The token by which a client shows that it is the one of this name; the coordinator makes it anew from its key. */
export function clientToken(key: string, client: string): string {
  return createHmac('sha256', key).update(client).digest('hex');
}

export function isTokenOf(token: string, key: string, client: string): boolean {
  const [given, expected] = [Buffer.from(token), Buffer.from(clientToken(key, client))];
  return given.length === expected.length && timingSafeEqual(given, expected);
}
