export interface FoundLine {
  readonly match: RegExpExecArray;
  /** When the line was complete, by `performance.now()`. */
  readonly atMs: number;
}

interface Line {
  readonly text: string;
  readonly atMs: number;
}

/** The lines that a program prints, each looked at once, in order. */
export class Lines {
  readonly #now: () => number;
  readonly #waiting: Line[] = [];
  #rest = '';
  #wake: () => void = () => {};
  #end: string | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  feed(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop() ?? '';
    const atMs = this.#now();
    this.#waiting.push(...lines.map((line) => ({ text: line.replace(/\r$/, ''), atMs })));
    this.#wake();
  }

  /** No more will come. @param why what is said to whoever waits. */
  end(why: string): void {
    this.#end ??= why;
    this.#wake();
  }

  /** The next line that matches; those before it are passed over. */
  async find(pattern: RegExp): Promise<FoundLine> {
    for (;;) {
      for (let line = this.#waiting.shift(); line !== undefined; line = this.#waiting.shift()) {
        const match = pattern.exec(line.text);
        if (match !== null) return { match, atMs: line.atMs };
      }
      if (this.#end !== undefined) throw new Error(`no line ${pattern}: ${this.#end}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
