import { bool, handle, text, u32 } from './contract/codec.js';
import { call, defineHal, event, type HalOf } from './contract/define.js';
import { syscall } from './contract/footprint.js';
import { CLOSE_POLLED, COUNTER_BYTES, POLL_START, POLL_STOP } from './usual-syscalls.js';

const eventfd = handle('eventfd');

/** Doorbells between the guest, the device and the VMM: kicks (ioeventfd) and interrupts (irqfd). */
export const EventFd = defineHal('event-fd', {
  create: call(
    { name: text },
    {
      returns: eventfd,
      syscalls: [syscall('eventfd2', { 0: 0, 1: 'EFD_CLOEXEC|EFD_NONBLOCK' })],
    },
  ),
  /** Takes over an eventfd that came with a message. */
  adopt: call({ attachment: handle('attachment') }, { returns: eventfd }),
  /** Adds one; whoever watches it is woken. */
  signal: call({ eventfd }, { syscalls: [syscall('write', { 2: COUNTER_BYTES })] }),
  /** Starts or ends `signalled` events of this eventfd. */
  watch: call({ eventfd, on: bool }, { syscalls: [...POLL_START, ...POLL_STOP] }),
  close: call({ eventfd }, { syscalls: CLOSE_POLLED }),
  /** It was signalled `count` times since the last event. */
  signalled: event(
    { eventfd, count: u32 },
    { key: 'eventfd', syscalls: [syscall('read', { 2: COUNTER_BYTES })] },
  ),
});
export type EventFd = HalOf<typeof EventFd>;
