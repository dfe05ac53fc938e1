/** Where a value stands in an object: `spec.containers[0].image`. Built on the way down, read when something is wrong. */
export class Path {
  readonly text: string;

  constructor(text = '') {
    this.text = text;
  }

  child(name: string): Path {
    return new Path(this.text === '' ? name : `${this.text}.${name}`);
  }

  index(index: number): Path {
    return new Path(`${this.text}[${index}]`);
  }

  key(key: string): Path {
    return new Path(`${this.text}[${key}]`);
  }

  toString(): string {
    return this.text;
  }
}
