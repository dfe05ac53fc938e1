/** The worst that a model's pods tell of how far requests are from the training set. */
export interface DriftSeen {
  drifted: boolean;
  score: number;
  threshold: number;
  rows: number;
}

/** The pod that drifted most; undefined where no pod has enough to say. Answers come from pods: nothing is taken for granted. */
export function worstDrift(reports: readonly unknown[]): DriftSeen | undefined {
  let worst: DriftSeen | undefined;
  for (const report of reports) {
    const { drifted, score, threshold, rows } = (report ?? {}) as Partial<DriftSeen>;
    const isWhole =
      [score, threshold, rows].every((each) => Number.isFinite(each)) && typeof drifted === 'boolean';
    if (!isWhole || rows === 0) continue;
    if (!worst || score! > worst.score)
      worst = { drifted: drifted!, score: score!, threshold: threshold!, rows: rows! };
  }
  return worst;
}
