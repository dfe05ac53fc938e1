import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { statSync } from 'node:fs';
import { StatusError } from '../base/errors.ts';
import { readIfExists, writePrivateFile } from './key-file.ts';

export interface TokenUser {
  /** What the token is for, unique in its file, e.g. `join` or `ci`. */
  name: string;
  user: string;
  groups: string[];
}

/** Bearer tokens in a file of lines `name,user,group|group,sha256`; the tokens themselves are never kept. */
export interface Tokens {
  /** Makes a token and returns it, this once; one of the same name stops being valid. */
  create(user: TokenUser): string;
  /** Whom the token belongs to, or undefined. What another process changed in the file counts at once. */
  verify(token: string): TokenUser | undefined;
  /** False when there was none of that name. */
  remove(name: string): boolean;
  list(): TokenUser[];
}

type Entry = TokenUser & { hash: Buffer };

/** Tokens have 256 random bits: a plain hash of them cannot be guessed back, so a slow one would gain nothing. */
const tokenBytes = 32;
const tokenLengthMax = 4096;
const tokensMax = 10_000;

export function openTokens(path: string): Tokens {
  return new FileTokens(path);
}

class FileTokens implements Tokens {
  #path: string;
  #entries: Entry[] = [];
  #seen = '';

  constructor(path: string) {
    this.#path = path;
    this.#refresh();
  }

  create(user: TokenUser): string {
    for (const field of [user.name, user.user, ...user.groups]) checkField(field);
    this.#refresh();
    const others = this.#entries.filter(({ name }) => name !== user.name);
    if (others.length >= tokensMax) {
      throw new StatusError(
        'TooManyRequests',
        `${this.#path} holds ${tokensMax} tokens, the most it may; remove some.`,
      );
    }
    const token = randomBytes(tokenBytes).toString('base64url');
    this.#save([...others, { ...user, hash: hashOf(token) }]);
    return token;
  }

  verify(token: string): TokenUser | undefined {
    if (token.length > tokenLengthMax) return undefined;
    this.#refresh();
    return this.#find(hashOf(token));
  }

  remove(name: string): boolean {
    this.#refresh();
    const others = this.#entries.filter((entry) => entry.name !== name);
    if (others.length === this.#entries.length) return false;
    this.#save(others);
    return true;
  }

  list(): TokenUser[] {
    this.#refresh();
    return this.#entries.map(({ name, user, groups }) => ({ name, user, groups }));
  }

  /** Looks at all entries, so that the time taken says nothing about which one nearly matched. */
  #find(hash: Buffer): TokenUser | undefined {
    let found: Entry | undefined;
    for (const entry of this.#entries) if (timingSafeEqual(entry.hash, hash)) found = entry;
    return found && { name: found.name, user: found.user, groups: found.groups };
  }

  /** Reads the file again if it changed, so that a token that was taken back stops at once. */
  #refresh(): void {
    const stamp = stampOf(this.#path);
    if (stamp === this.#seen) return;
    const text = readIfExists(this.#path)?.toString() ?? '';
    this.#entries = text
      .split('\n')
      .flatMap((line, index) => (line.trim() === '' ? [] : [parseLine(line, index + 1, this.#path)]));
    this.#seen = stamp;
  }

  #save(entries: Entry[]): void {
    const lines = entries.map(
      ({ name, user, groups, hash }) => `${[name, user, groups.join('|'), hash.toString('hex')].join(',')}\n`,
    );
    writePrivateFile(this.#path, lines.join(''));
    this.#entries = entries;
    this.#seen = stampOf(this.#path);
  }
}

function parseLine(line: string, lineNumber: number, path: string): Entry {
  const [name, user, groups, hash, ...rest] = line.trim().split(',');
  if (!name || !user || groups === undefined || !/^[0-9a-f]{64}$/.test(hash ?? '') || rest.length > 0) {
    throw new StatusError(
      'InternalError',
      `${path} line ${lineNumber} is not "name,user,group|group,sha256": mend or remove the line.`,
    );
  }
  return { name, user, groups: groups.split('|').filter(Boolean), hash: Buffer.from(hash!, 'hex') };
}

function checkField(field: string): void {
  if (/^[^,|\s]+$/.test(field)) return;
  throw new StatusError(
    'Invalid',
    `"${field}" cannot be in a token file: no commas, "|" or spaces, and not empty.`,
  );
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** The inode changes with every save, since a save replaces the file. */
function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat ? `${stat.ino} ${stat.size} ${stat.mtimeNs}` : 'none';
}
