import { handle, text, u32 } from './contract/codec.js';
import { call, defineHal, event, type HalOf, nanoseconds, syscall } from './contract/define.js';

const timer = handle('timer');

/** Monotonic time and timers (CLOCK_MONOTONIC, timerfd). */
export const Clock = defineHal('clock', {
  /** Nanoseconds since an arbitrary start; never goes back. */
  now: call(
    {},
    { returns: nanoseconds, syscalls: [syscall('clock_gettime', { 0: 'CLOCK_MONOTONIC' })] },
  ),
  /** Creates a disarmed timer. The name is for traces. */
  createTimer: call(
    { name: text },
    {
      returns: timer,
      syscalls: [
        syscall('timerfd_create', { 0: 'CLOCK_MONOTONIC', 1: 'TFD_CLOEXEC|TFD_NONBLOCK' }),
      ],
    },
  ),
  /** (Re)starts a timer: first after `first` (at least 1 ns), then every `period`; 0 means once. */
  arm: call(
    { timer, first: nanoseconds, period: nanoseconds },
    {
      syscalls: [
        syscall({
          x86_64: 'timerfd_settime',
          aarch64: 'timerfd_settime',
          arm: 'timerfd_settime64',
        }),
      ],
    },
  ),
  /** Stops a timer. An expiry that is already queued is dropped. */
  disarm: call(
    { timer },
    {
      syscalls: [
        syscall({
          x86_64: 'timerfd_settime',
          aarch64: 'timerfd_settime',
          arm: 'timerfd_settime64',
        }),
      ],
    },
  ),
  closeTimer: call({ timer }, { syscalls: [syscall('close')] }),
  /** A timer expired, `count` times since the last event. */
  expired: event({ timer, count: u32 }, { key: 'timer' }),
});
export type Clock = HalOf<typeof Clock>;
