/** Has something done later: an event delivered, as hardware would. */
export type Post = (task: () => void) => void;

/** For a simulation of one process: the reactor queues events anyway. */
export const AT_ONCE: Post = (task) => task();

/** The order of what happens in a simulation of several processes: first come, first served. */
export class TaskQueue {
  #tasks: (() => void)[] = [];

  readonly post: Post = (task) => {
    this.#tasks.push(task);
  };

  get length(): number {
    return this.#tasks.length;
  }

  /**
   * Does what is there and what comes of it.
   *
   * @param limit how many tasks at most.
   * @returns how many were done.
   */
  run(limit = Number.POSITIVE_INFINITY): number {
    let done = 0;
    for (; done < limit; done++) {
      const task = this.#tasks.shift();
      if (task === undefined) break;
      task();
    }
    return done;
  }
}
