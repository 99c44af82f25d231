import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { NativeOptions } from '../hal/native/index.js';
import { packageRoot } from '../package-info.js';
import { LaneStreamReader } from '../trace/lane-stream.js';
import type { ProgramIdentity, Recording } from '../trace/recording.js';

/** What a child finds on its command line. */
export interface LaneTask {
  readonly incarnation: string;
  /** Where its turns go; undefined if nobody records. */
  readonly turnsFd: number | undefined;
  readonly program: ProgramIdentity;
  /** As `--program`: where the program is, if it is not ours. */
  readonly module?: string | undefined;
}

/** A little more than the native `Process` gives its children. */
const END_LIMIT_MS = 5000;

/** The lanes that run in processes of their own, and their part of the recording. */
export class ChildLanes {
  readonly #program: ProgramIdentity;
  readonly #module: string | undefined;
  readonly #open = new Set<Promise<void>>();
  readonly #streams = new Set<Readable>();
  /** Where the children's turns go. Set before the first child is started. */
  recording: Recording | undefined;

  constructor(program: ProgramIdentity, module?: string) {
    this.#program = program;
    this.#module = module;
  }

  /** How the native `Process` starts them. */
  starter(records: boolean): NonNullable<NativeOptions['lanes']> {
    const command = (_lane: string, incarnation: string, firstExtraFd: number) => {
      const task: LaneTask = {
        incarnation,
        turnsFd: records ? firstExtraFd : undefined,
        program: this.#program,
        module: this.#module,
      };
      const entry = join(packageRoot(), 'dist', 'src', 'cli', 'lane-main.js');
      return { file: process.execPath, args: [entry, JSON.stringify(task)] };
    };
    if (!records) return { command };
    return { command, pipe: (_lane, incarnation, stream) => this.#follow(incarnation, stream) };
  }

  /** Resolves when every child's stream has ended; one that does not end is let go. */
  async ended(): Promise<void> {
    const limit = setTimeout(() => {
      for (const stream of this.#streams) stream.destroy();
    }, END_LIMIT_MS);
    await Promise.all(this.#open);
    clearTimeout(limit);
  }

  #follow(incarnation: string, stream: Readable): void {
    const { recording } = this;
    if (recording === undefined)
      throw new TypeError('a child is recorded, and there is no recording');
    const sink = recording.lane(incarnation);
    const reader = new LaneStreamReader({
      turn: (number, timeNs, bytes) => sink.turn(number, timeNs, bytes, bytes.length),
      end: (outcome, detail) => recording.endLane(incarnation, outcome, detail),
    });
    this.#streams.add(stream);
    const over = new Promise<void>((resolve) => {
      stream.on('data', (chunk: Buffer) => reader.push(chunk));
      // A reset connection ends as a cut-off one does: `close` follows.
      stream.on('error', () => {});
      stream.on('close', () => {
        reader.close();
        this.#streams.delete(stream);
        resolve();
      });
    });
    this.#open.add(over);
  }
}
