import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Changes that one slice looks at: a slice takes about a millisecond, so the event loop goes on in between. */
const sliceChanges = 256;

/**
 * Forgets history. `compacted` moves at once; what it covers is deleted from disk in slices. A change's predecessor
 * goes when the change itself is covered, and so does a deletion.
 */
export class Compaction {
  #database: DatabaseSync;
  #compacted: number;
  #swept: number;
  #scheduled = false;
  #isPaused = false;
  #closed = false;
  #onError: (error: unknown) => void;
  #deletePrevious: StatementSync;
  #deleteDeletions: StatementSync;
  #save: StatementSync;

  constructor(database: DatabaseSync, onError: (error: unknown) => void) {
    this.#database = database;
    this.#onError = onError;
    this.#deletePrevious = database.prepare(`DELETE FROM changes WHERE revision IN (
      SELECT previous_revision FROM changes WHERE revision > ? AND revision <= ?)`);
    this.#deleteDeletions = database.prepare(
      'DELETE FROM changes WHERE revision > ? AND revision <= ? AND value IS NULL',
    );
    this.#save = database.prepare('INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)');
    const load = database.prepare('SELECT value FROM state WHERE name = ?');
    const saved = (name: string) => (load.get(name) as { value: number } | undefined)?.value ?? 0;
    this.#compacted = saved('compacted');
    this.#swept = saved('swept');
    this.#schedule();
  }

  /** History at this revision and later can be read. */
  get compacted(): number {
    return this.#compacted;
  }

  /** Whether all that is forgotten is gone from disk. */
  get isSwept(): boolean {
    return this.#swept >= this.#compacted;
  }

  compact(revision: number): void {
    if (revision <= this.#compacted) return;
    this.#compacted = revision;
    this.#schedule();
  }

  /** Writes nothing until `resume`. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
  }

  #schedule(): void {
    if (this.#scheduled || this.#isPaused || this.isSwept) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#closed || this.#isPaused) return;
      try {
        this.#sweepSlice();
        this.#schedule();
      } catch (error) {
        this.#onError(error);
      }
    });
  }

  #sweepSlice(): void {
    const to = Math.min(this.#compacted, this.#swept + sliceChanges);
    this.#database.exec('BEGIN');
    try {
      this.#deletePrevious.run(this.#swept, to);
      this.#deleteDeletions.run(this.#swept, to);
      this.#save.run('compacted', this.#compacted);
      this.#save.run('swept', to);
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
    this.#swept = to;
  }
}
