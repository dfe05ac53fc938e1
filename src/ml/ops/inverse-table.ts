/** For each of `length` pixels, the places of a table that hold it; -1 fills up to `most`. */
export function invertTable(positions: number[], length: number): { sources: number[]; most: number } {
  const lists = Array.from({ length }, (): number[] => []);
  positions.forEach((pixel, place) => {
    if (pixel >= 0) lists[pixel]!.push(place);
  });
  const most = lists.reduce((longest, list) => Math.max(longest, list.length), 1);
  const sources = lists.flatMap((list) => [...list, ...new Array<number>(most - list.length).fill(-1)]);
  return { sources, most };
}
