import { type ChildProcess, spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { HalError, UnsupportedError } from '../contract/errors.js';
import { type Emitter, type Implementation, implement } from '../contract/implementation.js';
import { Process } from '../process.js';
import { failedSyscall } from './node-errors.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** The first descriptor of a child behind its standard streams; `Channel.adopt` counts its slots from here. */
export const FIRST_INHERITED_FD = 3;

/** So long a child has to end by itself, and then again to heed SIGTERM. */
const END_LIMIT_MS = 5000;

/** How to start a lane's process. */
export interface LaneCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** Default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface LaneStarter {
  /**
   * @param incarnation the lane's name the first time, then `lane#2`, `lane#3`, …
   * @param firstExtraFd the descriptor under which the child finds the first of `extraFds`.
   */
  readonly command: (lane: string, incarnation: string, firstExtraFd: number) => LaneCommand;
  /** Descriptors that the child gets behind the channels, for example the pipe for its trace. */
  readonly extraFds?: (lane: string, incarnation: string) => readonly number[];
  /**
   * Gives the child a pipe behind `extraFds`, and gets what the child writes into it. The stream ends with the child, maybe
   * later than `exited` comes.
   */
  readonly pipe?: (lane: string, incarnation: string, stream: Readable) => void;
  /** The channels of the same session, by handle. Both throw HalErrors for handles that are none. */
  readonly channels: {
    readonly fdOf: (channel: number) => number;
    readonly close: (channel: number) => void;
  };
}

/** The child processes of one session. A handle is never given out twice. */
class Children {
  readonly #emit: Emitter<typeof Process>;
  readonly #starter: LaneStarter | undefined;
  readonly #running = new Map<number, ChildProcess>();
  readonly #incarnations = new Map<string, number>();
  #last = 0;

  constructor(emit: Emitter<typeof Process>, starter: LaneStarter | undefined) {
    this.#emit = emit;
    this.#starter = starter;
  }

  /** Starts the lane; this side's copies of the channels are closed once the child has them. */
  spawn(lane: string, give: readonly number[]): number {
    const starter = this.#starter;
    if (starter === undefined) {
      throw new UnsupportedError(
        'This composition runs one process',
        'Give it the means to start another (device placement "process").',
      );
    }
    const channels = give.map((channel) => starter.channels.fdOf(channel));
    const count = (this.#incarnations.get(lane) ?? 0) + 1;
    const incarnation = count === 1 ? lane : `${lane}#${count}`;
    const fds = [...channels, ...(starter.extraFds?.(lane, incarnation) ?? [])];
    const command = starter.command(lane, incarnation, FIRST_INHERITED_FD + channels.length);
    const child = start(command, fds, incarnation, starter.pipe !== undefined);
    const stream = starter.pipe === undefined ? undefined : child.stdio.at(-1);
    if (stream instanceof Readable) starter.pipe?.(lane, incarnation, stream);
    this.#incarnations.set(lane, count);
    for (const channel of new Set(give)) starter.channels.close(channel);
    return this.#follow(child);
  }

  kill(handle: number, signal: NodeJS.Signals): void {
    const child = this.#running.get(handle);
    if (child !== undefined) {
      // False means that it has ended already: its `exited` is on the way.
      child.kill(signal);
      return;
    }
    if (Number.isInteger(handle) && handle > 0 && handle <= this.#last) {
      throw new HalError('CLOSED_HANDLE', `kill: process ${handle} has ended`);
    }
    throw new HalError('BAD_HANDLE', `kill: process ${handle} was never given out`);
  }

  /** No event comes from here any more; what does not end by itself is asked to, and then made to. */
  dispose(): void {
    for (const child of this.#running.values()) {
      child.removeAllListeners();
      // Its channels are closed: it ends by itself, and a signal now could cut off the end of its trace.
      const asks = setTimeout(() => child.kill('SIGTERM'), END_LIMIT_MS);
      const kills = setTimeout(() => child.kill('SIGKILL'), 2 * END_LIMIT_MS);
      child.once('exit', () => {
        clearTimeout(asks);
        clearTimeout(kills);
      });
      child.unref();
    }
    this.#running.clear();
  }

  #follow(child: ChildProcess): number {
    const handle = ++this.#last;
    this.#running.set(handle, child);
    child.on('error', () => {
      // A signal that could not be sent; whether the child lives is what `exit` tells.
    });
    child.on('exit', (code, signal) => {
      this.#running.delete(handle);
      this.#emit.exited({ process: handle, code: code ?? -1, signal: signal ?? '' });
    });
    return handle;
  }
}

function start(
  command: LaneCommand,
  fds: readonly number[],
  incarnation: string,
  withPipe: boolean,
): ChildProcess {
  let child: ChildProcess;
  try {
    child = spawn(command.file, command.args, {
      stdio: ['ignore', 'inherit', 'inherit', ...fds, ...(withPipe ? ['pipe' as const] : [])],
      ...(command.env === undefined ? {} : { env: command.env }),
    });
  } catch (error) {
    throw failedSyscall(error, 'execve', command.file);
  }
  if (child.pid === undefined) {
    // The reason comes as an event, later than an answer is due.
    child.on('error', () => {});
    throw new HalError(
      'SYSCALL_FAILED',
      `spawn: ${command.file} could not be started for the lane ${incarnation}; check that it is there and may be run`,
      { syscall: 'execve' },
    );
  }
  return child;
}

/**
 * `Process`: the signals that ask this process to end and, where `starter` says how, processes for other lanes.
 *
 * Without `starter`, `spawn` throws UNSUPPORTED. Errors of `spawn`: those of the channels' handles, SYSCALL_FAILED if
 * the program cannot be run. Errors of `kill`: BAD_HANDLE, CLOSED_HANDLE after `exited`.
 */
export function processOf(starter?: LaneStarter): Implementation<typeof Process> {
  const listeners = new Map<(typeof SIGNALS)[number], () => void>();
  let children: Children | undefined;
  return implement(
    Process,
    (emit) => {
      const started = new Children(emit, starter);
      children = started;
      for (const signal of SIGNALS) {
        const listener = () => emit.interrupted({ signal });
        listeners.set(signal, listener);
        process.on(signal, listener);
      }
      return {
        spawn: ({ lane, give }) => started.spawn(lane, give),
        kill: ({ process: handle, signal }) => started.kill(handle, signal),
      };
    },
    {
      dispose: () => {
        for (const [signal, listener] of listeners) process.off(signal, listener);
        listeners.clear();
        children?.dispose();
      },
    },
  );
}
