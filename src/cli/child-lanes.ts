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
  /** What the lane may jail itself with: base64, by name. Node is then started so that it needs no executable memory. */
  readonly filterPrograms?: Readonly<Record<string, string>> | undefined;
}

/** Without its compilers V8 needs no memory that can be written and run. WebAssembly goes with them; V8 warns if it is not told. */
export const JAILED_NODE: readonly string[] = ['--no-expose-wasm', '--jitless'];
/**
 * No io_uring, which libuv uses in some versions (Node 20.3 to 20.11): what is asked for over a ring is no system call that a
 * filter sees, and a ring that was made before the jail would serve in it.
 */
export const JAILED_ENVIRONMENT: NodeJS.ProcessEnv = { UV_USE_IO_URING: '0' };
/** A little more than the native `Process` gives its children. */
const END_LIMIT_MS = 11_000;

/** The lanes that run in processes of their own, and their part of the recording. */
export class ChildLanes {
  readonly #program: ProgramIdentity;
  readonly #module: string | undefined;
  readonly #open = new Set<Promise<void>>();
  readonly #streams = new Set<Readable>();
  readonly #filterPrograms: ReadonlyMap<string, Uint8Array> | undefined;
  /** Where the children's turns go. Set before the first child is started. */
  recording: Recording | undefined;

  /** @param filterPrograms what the lanes jail themselves with; undefined if they do not. */
  constructor(
    program: ProgramIdentity,
    options: {
      readonly module?: string | undefined;
      readonly filterPrograms?: ReadonlyMap<string, Uint8Array> | undefined;
    } = {},
  ) {
    this.#program = program;
    this.#module = options.module;
    this.#filterPrograms = options.filterPrograms;
  }

  /** How the native `Process` starts them. */
  starter(records: boolean): NonNullable<NativeOptions['lanes']> {
    const command = (_lane: string, incarnation: string, firstExtraFd: number) => {
      const task: LaneTask = {
        incarnation,
        turnsFd: records ? firstExtraFd : undefined,
        program: this.#program,
        module: this.#module,
        filterPrograms: encoded(this.#filterPrograms),
      };
      const entry = join(packageRoot(), 'dist', laneEntry(this.#module));
      const isJailed = this.#filterPrograms !== undefined;
      const args = [...(isJailed ? JAILED_NODE : []), entry, JSON.stringify(task)];
      const env = isJailed ? { ...process.env, ...JAILED_ENVIRONMENT } : process.env;
      return { file: process.execPath, args, env };
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

/**
 * A process without compilers reads one file in a third of the time that 200 modules take. A program of the user's imports
 * this package, and must share its modules.
 */
function laneEntry(module: string | undefined): string {
  return module === undefined ? 'bin/lane-main.cjs' : 'src/cli/lane-main.js';
}

function encoded(
  programs: ReadonlyMap<string, Uint8Array> | undefined,
): Readonly<Record<string, string>> | undefined {
  if (programs === undefined) return undefined;
  const entries = [...programs].map(([name, bytes]) => [
    name,
    Buffer.from(bytes).toString('base64'),
  ]);
  return Object.fromEntries(entries) as Readonly<Record<string, string>>;
}
