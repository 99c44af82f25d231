/**
 * Constants as they stand in the generated modules: words `NAME=VALUE`, sorted by name (in code units), each after one
 * blank or line end. A policy needs a handful out of thousands: one is found by bisection, and all are parsed only to be
 * listed.
 */
export class ConstantTable implements ReadonlyMap<string, bigint> {
  readonly #texts: readonly string[];
  readonly #found = new Map<string, bigint>();
  #all: ReadonlyMap<string, bigint> | undefined;

  /** @param texts where names are looked for, in this order. No name is in two of them. */
  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  get(name: string): bigint | undefined {
    const found = this.#found.get(name);
    if (found !== undefined) return found;
    for (const text of this.#texts) {
      const value = valueIn(text, name);
      if (value === undefined) continue;
      this.#found.set(name, value);
      return value;
    }
    return undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  get size(): number {
    return this.#parsed().size;
  }

  entries(): MapIterator<[string, bigint]> {
    return this.#parsed().entries();
  }

  keys(): MapIterator<string> {
    return this.#parsed().keys();
  }

  values(): MapIterator<bigint> {
    return this.#parsed().values();
  }

  [Symbol.iterator](): MapIterator<[string, bigint]> {
    return this.entries();
  }

  forEach(
    callback: (value: bigint, name: string, table: ReadonlyMap<string, bigint>) => void,
  ): void {
    for (const [name, value] of this.#parsed()) callback(value, name, this);
  }

  #parsed(): ReadonlyMap<string, bigint> {
    this.#all ??= new Map(this.#texts.flatMap((text) => text.trim().split(/\s/).map(parseWord)));
    return this.#all;
  }
}

function parseWord(word: string): [string, bigint] {
  const end = word.indexOf('=');
  return [word.slice(0, end), BigInt(word.slice(end + 1))];
}

/** Bisects by characters: the word around the middle is compared. Each word has one separator before it. */
function valueIn(text: string, name: string): bigint | undefined {
  let low = 0;
  let high = text.trimEnd().length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    let start = middle;
    while (!isSeparator(text, start)) start -= 1;
    let end = start + 1;
    while (end < high && !isSeparator(text, end)) end += 1;
    const assign = text.indexOf('=', start);
    const found = text.slice(start + 1, assign);
    if (found === name) return BigInt(text.slice(assign + 1, end));
    if (found < name) low = end;
    else high = start;
  }
  return undefined;
}

/** A blank or a line's end. */
function isSeparator(text: string, index: number): boolean {
  return text.charCodeAt(index) <= 32;
}
