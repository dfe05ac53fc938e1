/** Numbers by topology key and value, e.g. of pods in each zone. What comes to nothing is forgotten. */
export class TopologyCounts {
  #counts = new Map<string, Map<string, number>>();

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  /** A node without the label (`value` undefined) is in no domain. */
  add(key: string, value: string | undefined, by: number): void {
    if (value === undefined) return;
    let values = this.#counts.get(key);
    if (!values) {
      values = new Map();
      this.#counts.set(key, values);
    }
    const count = (values.get(value) ?? 0) + by;
    if (count !== 0) values.set(value, count);
    else if (values.delete(value) && values.size === 0) this.#counts.delete(key);
  }

  at(key: string, value: string | undefined): number {
    return value === undefined ? 0 : (this.#counts.get(key)?.get(value) ?? 0);
  }

  /** Whether any of the labels names a domain with something in it. */
  touches(labels: Readonly<Record<string, string>>): boolean {
    for (const [key, values] of this.#counts) {
      const value = labels[key];
      if (value !== undefined && (values.get(value) ?? 0) > 0) return true;
    }
    return false;
  }

  sumAt(labels: Readonly<Record<string, string>>): number {
    let sum = 0;
    for (const [key, values] of this.#counts) {
      const value = labels[key];
      if (value !== undefined) sum += values.get(value) ?? 0;
    }
    return sum;
  }
}
