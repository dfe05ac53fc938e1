/** Counts the nodes for each reason and tells it in the words of kube-scheduler. */
export class Reasons {
  #nodes = new Map<string, number>();

  add(reasons: readonly string[], nodes = 1): void {
    if (nodes === 0) return;
    for (const reason of reasons) this.#nodes.set(reason, (this.#nodes.get(reason) ?? 0) + nodes);
  }

  /** `0/3 nodes are available: 1 Too many pods, 2 Insufficient cpu.` */
  explain(nodes: number): string {
    const counted = [...this.#nodes].map(([reason, count]) => `${count} ${reason}`).sort();
    return `0/${nodes} nodes are available: ${counted.join(', ')}.`;
  }
}
