import { handle, text, u32 } from './contract/codec.js';
import { call, defineHal, event, type HalOf, nanoseconds } from './contract/define.js';
import { syscall } from './contract/footprint.js';
import { CLOSE_POLLED, COUNTER_BYTES, POLL_START, POLL_STOP } from './usual-syscalls.js';

const timer = handle('timer');

/** 32-bit arm has the call twice, and its C library takes the old one where the times fit 32 bits. */
const SET_TIME = syscall(
  { x86_64: 'timerfd_settime', aarch64: 'timerfd_settime', arm: 'timerfd_settime64' },
  { 1: 0 },
  { instead: [syscall({ arm: 'timerfd_settime' }, { 1: 0 })] },
);

/** Monotonic time and timers (CLOCK_MONOTONIC, timerfd). */
export const Clock = defineHal('clock', {
  /** Nanoseconds since an arbitrary start; never goes back. */
  now: call(
    {},
    {
      returns: nanoseconds,
      syscalls: [
        // Where the vDSO cannot tell it.
        syscall(
          { x86_64: 'clock_gettime', aarch64: 'clock_gettime', arm: 'clock_gettime64' },
          { 0: 'CLOCK_MONOTONIC' },
          {
            times: 'optional',
            instead: [syscall({ arm: 'clock_gettime' }, { 0: 'CLOCK_MONOTONIC' })],
          },
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
    { syscalls: [SET_TIME, ...POLL_START] },
  ),
  /** Stops a timer. An expiry that is already queued is dropped. */
  disarm: call({ timer }, { syscalls: [...POLL_STOP, SET_TIME] }),
  closeTimer: call({ timer }, { syscalls: CLOSE_POLLED }),
  /** A timer expired, `count` times since the last event. */
  expired: event(
    { timer, count: u32 },
    { key: 'timer', syscalls: [syscall('read', { 2: COUNTER_BYTES }), ...POLL_STOP] },
  ),
});
export type Clock = HalOf<typeof Clock>;
