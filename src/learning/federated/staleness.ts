/** How fast late updates lose weight: FedAsync's experiments have this exponent too. */
const exponent = 0.5;

/** The share with which an update counts that comes this many rounds late, the polynomial (t - τ + 1)^-a of FedAsync
 * (Xie et al., 2019, https://arxiv.org/abs/1903.03934, section 5.2). */
export const stalenessWeight = (roundsLate: number): number => (roundsLate + 1) ** -exponent;
