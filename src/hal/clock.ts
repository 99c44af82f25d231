import { handle, text, u32 } from './contract/codec.js';
import { call, defineHal, event, type HalOf, nanoseconds, syscall } from './contract/define.js';

const timer = handle('timer');

/** 32-bit arm has the call twice, and its C library takes the old one where the times fit 32 bits. */
const setTime = [
  syscall('timerfd_settime'),
  syscall({ x86_64: 'timerfd_settime', aarch64: 'timerfd_settime', arm: 'timerfd_settime64' }),
];

/** Monotonic time and timers (CLOCK_MONOTONIC, timerfd). */
export const Clock = defineHal('clock', {
  /** Nanoseconds since an arbitrary start; never goes back. */
  now: call(
    {},
    {
      returns: nanoseconds,
      syscalls: [
        syscall(
          { x86_64: 'clock_gettime', aarch64: 'clock_gettime', arm: 'clock_gettime64' },
          { 0: 'CLOCK_MONOTONIC' },
        ),
      ],
    },
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
      syscalls: setTime,
    },
  ),
  /** Stops a timer. An expiry that is already queued is dropped. */
  disarm: call(
    { timer },
    {
      syscalls: setTime,
    },
  ),
  closeTimer: call({ timer }, { syscalls: [syscall('close')] }),
  /** A timer expired, `count` times since the last event. */
  expired: event({ timer, count: u32 }, { key: 'timer' }),
});
export type Clock = HalOf<typeof Clock>;
