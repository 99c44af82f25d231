import type { HalOf } from '../contract/define.js';
import { HalError } from '../contract/errors.js';
import { type Emitter, type Implementation, implement } from '../contract/implementation.js';
import { Process } from '../process.js';
import type { ChannelEnd } from './channel.js';
import { HandleSpace } from './handles.js';
import { AT_ONCE, type Post } from './task-queue.js';

/** How a simulated process ended. */
export interface SimulatedExit {
  /** -1 if a signal ended it. */
  readonly code: number;
  readonly signal: string;
}

/** A process of the simulation, from its parent's side. */
export interface SimulatedChild {
  kill(signal: string): void;
}

export interface SimulatedProcessOptions {
  readonly handles?: HandleSpace;
  readonly post?: Post;
  /** Takes a channel of the parent's away from it. */
  readonly release: (channel: number) => ChannelEnd;
  /** Starts the lane; calls `onExit` once, when it has ended. */
  readonly start: (
    incarnation: string,
    given: readonly ChannelEnd[],
    onExit: (exit: SimulatedExit) => void,
  ) => SimulatedChild;
}

/** Numbers the incarnations of lanes: `device`, `device#2`, `device#3`. */
export class Incarnations {
  readonly #counts = new Map<string, number>();

  next(lane: string): string {
    const count = (this.#counts.get(lane) ?? 0) + 1;
    this.#counts.set(lane, count);
    return count === 1 ? lane : `${lane}#${count}`;
  }
}

/** The `Process` contract where other lanes run in this very process. */
export function simulatedProcess(options: SimulatedProcessOptions): Implementation<typeof Process> {
  const handles = options.handles ?? new HandleSpace();
  const post = options.post ?? AT_ONCE;
  const incarnations = new Incarnations();
  const create = (emit: Emitter<typeof Process>): HalOf<typeof Process> => ({
    spawn: ({ lane, give }) => {
      const incarnation = incarnations.next(lane);
      const given = give.map(options.release);
      const entry: { child: SimulatedChild | undefined } = { child: undefined };
      const process = handles.open('process', entry);
      entry.child = options.start(incarnation, given, ({ code, signal }) => {
        entry.child = undefined;
        post(() => emit.exited({ process, code, signal }));
      });
      return process;
    },
    kill: ({ process, signal }) => {
      const { child } = handles.find<{ child: SimulatedChild | undefined }>('process', process);
      if (child === undefined) {
        throw new HalError('CLOSED_HANDLE', `kill: process ${process} has ended`);
      }
      child.kill(signal);
    },
  });
  return implement(Process, create);
}
