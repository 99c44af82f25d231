import { type AddonSession, loadAddon } from './addon.js';
import { addonFunction } from './from-addon.js';
import type { ReadableWatcher } from './mem-pressure.js';

/**
 * Waits for files to become readable (POLLIN), on the event loop: for devices that cannot be read without blocking, such
 * as /dev/chromeos-low-mem. Each watch calls back once and is silent then; a watch under way keeps the process alive.
 *
 * Errors of `watchReadable`: SYSCALL_FAILED if the file cannot be opened, or cannot be polled (EPERM: a plain file).
 *
 * @throws UnsupportedError without the addon.
 */
export function readableWatcher(): ReadableWatcher & { readonly dispose: () => void } {
  const session: AddonSession = loadAddon().open();
  const open = addonFunction(session, 'watcher', 'open');
  const arm = addonFunction(session, 'watcher', 'arm');
  const close = addonFunction(session, 'watcher', 'close');
  const callbacks = new Map<number, () => void>();
  session.setListener('watcher.readable', (watcher: unknown) => {
    callbacks.get(watcher as number)?.();
  });
  const end = (watcher: number): void => {
    if (callbacks.delete(watcher)) close(watcher);
  };
  return {
    watchReadable(path, callback) {
      const watcher = open(path) as number;
      callbacks.set(watcher, callback);
      try {
        arm(watcher);
      } catch (error) {
        end(watcher);
        throw error;
      }
      return { close: () => end(watcher) };
    },
    dispose: () => {
      callbacks.clear();
      session.close();
    },
  };
}
