import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Clock, systemClock } from '../base/clock.ts';
import { loadOrCreateKey } from '../identity/key-file.ts';
import { closeExclusive, openExclusively } from '../store/exclusive-file.ts';
import type { PodRecord } from './pods/record.ts';

const schema = `
  PRAGMA cache_size = -512;
  CREATE TABLE IF NOT EXISTS entries (
    kind TEXT NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (kind, name)
  ) WITHOUT ROWID;
`;

/** How often an image was last used, for garbage collection. */
export interface ImageUse {
  reference: string;
  digest: string;
  usedAtMs: number;
}

/**
 * What a node must remember to run its pods without the API server: their records, the ConfigMaps and Secrets that
 * they use, the images that they run. One SQLite file; each write is durable. Contents are encrypted, because pods
 * and Secrets carry credentials; the key lies beside the file, readable by its owner only.
 */
export class NodeState {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #key: Buffer;
  readonly #statements = new Map<string, StatementSync>();
  readonly #written = new Map<string, string>();

  /** Conflict where another agent has the folder. */
  constructor(options: { folder: string; clock?: Clock }) {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    this.#key = loadOrCreateKey(join(options.folder, 'state.key'));
    this.#path = join(options.folder, 'state.sqlite');
    this.#database = openExclusively(this.#path, {
      clock: options.clock ?? systemClock,
      prepare: (database) => database.exec(schema),
    });
  }

  pods(): PodRecord[] {
    return this.#all('pod') as PodRecord[];
  }

  savePod(record: PodRecord): void {
    this.#save('pod', record.uid, record);
  }

  removePod(uid: string): void {
    this.#remove('pod', uid);
  }

  /** The last known copy of a ConfigMap or Secret, for when the API server is away. */
  object(kind: string, key: string): unknown {
    return this.#load(kind, key);
  }

  saveObject(kind: string, key: string, object: unknown): void {
    this.#save(kind, key, object);
  }

  removeObject(kind: string, key: string): void {
    this.#remove(kind, key);
  }

  objectKeys(kind: string): string[] {
    return this.#statement('SELECT name FROM entries WHERE kind = ?')
      .all(kind)
      .map((row) => String(row.name));
  }

  images(): ImageUse[] {
    return this.#all('image') as ImageUse[];
  }

  saveImage(image: ImageUse): void {
    this.#save('image', image.reference, image);
  }

  removeImage(reference: string): void {
    this.#remove('image', reference);
  }

  fact(name: string): unknown {
    return this.#load('fact', name);
  }

  saveFact(name: string, value: unknown): void {
    this.#save('fact', name, value);
  }

  removeFact(name: string): void {
    this.#remove('fact', name);
  }

  close(): void {
    if (this.#database.isOpen) closeExclusive(this.#database, this.#path);
  }

  #all(kind: string): unknown[] {
    const rows = this.#statement('SELECT name, content FROM entries WHERE kind = ? ORDER BY name').all(kind);
    return rows.map((row) => this.#open(`${kind}/${row.name}`, row.content as Uint8Array));
  }

  #load(kind: string, name: string): unknown {
    const row = this.#statement('SELECT content FROM entries WHERE kind = ? AND name = ?').get(kind, name);
    return row && this.#open(`${kind}/${name}`, row.content as Uint8Array);
  }

  #save(kind: string, name: string, value: unknown): void {
    const text = JSON.stringify(value);
    const at = `${kind}/${name}`;
    // Flash wears: what has not changed is not written.
    if (this.#written.get(at) === text) return;
    this.#statement('INSERT OR REPLACE INTO entries (kind, name, content) VALUES (?, ?, ?)').run(
      kind,
      name,
      this.#seal(at, text),
    );
    this.#written.set(at, text);
  }

  #remove(kind: string, name: string): void {
    this.#statement('DELETE FROM entries WHERE kind = ? AND name = ?').run(kind, name);
    this.#written.delete(`${kind}/${name}`);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** AES-256-GCM: 12 bytes of nonce, 16 of tag, then the text; bound to its place, so that rows can't be swapped. */
  #seal(at: string, text: string): Buffer {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(at));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
  }

  #open(at: string, content: Uint8Array): unknown {
    const bytes = Buffer.from(content);
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, 12));
    decipher.setAAD(Buffer.from(at)).setAuthTag(bytes.subarray(12, 28));
    const text = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]);
    return JSON.parse(text.toString('utf8'));
  }
}
