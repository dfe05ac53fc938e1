import { type ResourceQuota, resourceQuota } from '../../../api/kinds/resourceQuota.ts';
import { addQuantities, compareQuantities, subtractQuantities } from '../../../api/quantity.ts';
import type { Amounts } from '../../../api/quota/usage.ts';
import { isStatus, messageOf, StatusError } from '../../../base/errors.ts';
import type { Log } from '../../../base/log.ts';
import type { Store } from '../../../store/store.ts';
import { objectOf, prefixOf, storedValueOf } from '../../stored.ts';

/** How often charges are tried again when somebody else wrote their quotas meanwhile. */
const conflictTriesMax = 32;

/** Changes of used amounts, by the name of the quota; what is no longer needed is negative. */
export type Charges = Map<string, Amounts>;

interface Waiting {
  /** Looks at the quotas as they are then; throws what refuses the write. */
  judge(quotas: readonly ResourceQuota[]): Charges;
  /** Quotas that have the charge already, of an attempt that got only so far. */
  charged: Charges;
  resolve(charges: Charges): void;
  reject(error: unknown): void;
}

/**
 * Writes what is used into the quotas, before what uses it is stored: the charges of a namespace one batch after the
 * other, each batch in one write a quota, so that no two writes take the same rest.
 */
export class QuotaLedger {
  readonly #store: Store;
  readonly #log: Log;
  readonly #waiting = new Map<string, Waiting[]>();
  /** Writes that are charged and not stored yet, by namespace. */
  readonly #open = new Map<string, number>();

  constructor({ store, log }: { store: Store; log: Log }) {
    this.#store = store;
    this.#log = log;
  }

  /** Charges a write; it is open until `settle`. */
  async charge(namespace: string, judge: Waiting['judge']): Promise<Charges> {
    this.#open.set(namespace, (this.#open.get(namespace) ?? 0) + 1);
    try {
      return await this.#enqueue(namespace, judge);
    } catch (error) {
      this.#close(namespace);
      throw error;
    }
  }

  /** Whether something may be charged that nobody could count yet. */
  isOpen(namespace: string): boolean {
    return this.#open.has(namespace);
  }

  /** Ends a charged write, and gives back what one took that was not stored. */
  settle(namespace: string, charges: Charges, isStored: boolean): void {
    if (isStored || charges.size === 0) this.#close(namespace);
    else this.#giveBack(namespace, charges).finally(() => this.#close(namespace));
  }

  async #giveBack(namespace: string, charges: Charges): Promise<void> {
    const negative = (amounts: Amounts) =>
      Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, `-${amount}`]));
    const back: Charges = new Map([...charges].map(([name, amounts]) => [name, negative(amounts)]));
    try {
      await this.#enqueue(namespace, () => back);
    } catch (error) {
      // The controller counts anew in a while.
      this.#log.warn('a quota was not given back', { error: messageOf(error) });
    }
  }

  #close(namespace: string): void {
    const open = (this.#open.get(namespace) ?? 1) - 1;
    if (open > 0) this.#open.set(namespace, open);
    else this.#open.delete(namespace);
  }

  #enqueue(namespace: string, judge: Waiting['judge']): Promise<Charges> {
    return new Promise((resolve, reject) => {
      const one = { judge, charged: new Map(), resolve, reject };
      const queue = this.#waiting.get(namespace);
      if (queue) queue.push(one);
      else {
        this.#waiting.set(namespace, [one]);
        void this.#work(namespace);
      }
    });
  }

  async #work(namespace: string): Promise<void> {
    for (;;) {
      const batch = this.#waiting.get(namespace)!.splice(0);
      if (batch.length === 0) break;
      try {
        await this.#chargeAll(namespace, batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#waiting.delete(namespace);
  }

  async #chargeAll(namespace: string, batch: readonly Waiting[]): Promise<void> {
    let left = [...batch];
    for (let tries = 1; left.length > 0; tries++) {
      const stored = this.#store.list(prefixOf(resourceQuota, namespace)).items;
      const quotas = stored.map((each) => objectOf(each) as ResourceQuota);
      const judged = left.flatMap((one) => {
        const rest = quotas.filter((quota) => !one.charged.has(nameOf(quota)));
        try {
          const charges: Charges = new Map([...one.judge(rest), ...one.charged]);
          for (const quota of rest) add(quotas, quota, charges.get(nameOf(quota)));
          return [{ one, charges }];
        } catch (error) {
          one.reject(error);
          if (one.charged.size > 0) void this.#giveBack(namespace, one.charged);
          return [];
        }
      });
      const failed = await this.#write(stored, quotas, judged);
      for (const { one, charges } of judged) if (!failed) one.resolve(charges);
      if (!failed) return;
      if (tries >= conflictTriesMax) {
        throw new StatusError(
          'Timeout',
          `the quotas of namespace ${namespace} are written by others too often`,
        );
      }
      left = judged.map(({ one }) => one);
    }
  }

  /** True where a quota was written by somebody else meanwhile, so that all must be judged again. */
  async #write(
    stored: readonly { key: string; revision: number; value: object }[],
    quotas: readonly ResourceQuota[],
    judged: readonly { one: Waiting; charges: Charges }[],
  ): Promise<boolean> {
    const outcomes = await Promise.allSettled(
      stored.map(async (each, index) => {
        const quota = quotas[index]!;
        if (quota === objectOf(each)) return;
        await this.#store.update(each.key, storedValueOf(quota), each.revision);
        for (const { one, charges } of judged) {
          const amounts = charges.get(nameOf(quota));
          if (amounts) one.charged.set(nameOf(quota), amounts);
        }
      }),
    );
    const errors = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
    );
    const other = errors.find((error) => !isStatus(error, 'Conflict') && !isStatus(error, 'NotFound'));
    if (other !== undefined) throw other;
    return errors.length > 0;
  }
}

const nameOf = (quota: ResourceQuota) => quota.metadata!.name!;

/** Puts a copy with more used in the quota's place, so that the next in the batch sees it. */
function add(quotas: ResourceQuota[], quota: ResourceQuota, amounts: Amounts | undefined): void {
  if (!amounts || Object.keys(amounts).length === 0) return;
  const used = { ...quota.status?.used };
  for (const [name, amount] of Object.entries(amounts)) {
    const sum = amount.startsWith('-')
      ? subtractQuantities(used[name] ?? '0', amount.slice(1))
      : addQuantities(used[name] ?? '0', amount);
    used[name] = compareQuantities(sum, 0) < 0 ? '0' : sum;
  }
  quotas[quotas.indexOf(quota)] = { ...quota, status: { ...quota.status, used } };
}
