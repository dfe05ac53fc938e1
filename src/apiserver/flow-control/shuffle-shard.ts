/** FNV-1a of 64 bits: the flow's name is spread evenly over the queues. */
export function hashOf(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (let at = 0; at < text.length; at++) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(at))) * 0x100000001b3n);
  }
  return hash;
}

/**
 * Deals a hand of distinct cards of a deck `0…deckSize-1`, the same ones for the same hash: two flows seldom share more
 * than a few queues. Source: https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#queuing
 */
export function dealHand(hash: bigint, deckSize: number, handSize: number): number[] {
  const remainders: number[] = [];
  let left = hash;
  for (let at = 0; at < handSize; at++) {
    const cards = BigInt(deckSize - at);
    remainders.push(Number(left % cards));
    left /= cards;
  }
  // Each remainder counts only the cards that are still in the deck.
  return remainders.map((remainder, at) => {
    let card = remainder;
    for (let before = at - 1; before >= 0; before--) if (card >= remainders[before]!) card += 1;
    return card;
  });
}
