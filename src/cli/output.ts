/** Where a command writes: text for people, one JSON value for programs. */
export class Output {
  readonly json: boolean;
  constructor(json: boolean) {
    this.json = json;
  }

  /** A line for people; silent with `--json`. */
  line(text = ''): void {
    if (!this.json) process.stdout.write(`${text}\n`);
  }

  /** The one result; silent without `--json`. */
  result(value: unknown): void {
    if (this.json) process.stdout.write(`${JSON.stringify(value, plain)}\n`);
  }

  /** What is said beside the result, as it is. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** A warning goes to standard error in both. */
  warn(text: string): void {
    process.stderr.write(`halyard: ${text}\n`);
  }
}

/** Numbers of 64 bits as text, typed arrays as lists. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>);
  return value;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1048576).toFixed(1)} MiB`;
}

/** Nobody reads on (`halyard run | head`): that must not end a VM, nor cut its recording. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
