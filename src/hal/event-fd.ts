import { bool, handle, text, u32 } from './contract/codec.js';
import { call, defineHal, event, type HalOf, syscall } from './contract/define.js';

const eventfd = handle('eventfd');

/** Doorbells between the guest, the device and the VMM: kicks (ioeventfd) and interrupts (irqfd). */
export const EventFd = defineHal('event-fd', {
  create: call(
    { name: text },
    {
      returns: eventfd,
      syscalls: [
        syscall(
          { x86_64: 'eventfd2', aarch64: 'eventfd2', arm: 'eventfd2' },
          { 1: 'EFD_CLOEXEC|EFD_NONBLOCK' },
        ),
      ],
    },
  ),
  /** Takes over an eventfd that came with a message. */
  adopt: call({ attachment: handle('attachment') }, { returns: eventfd }),
  /** Adds one; whoever watches it is woken. */
  signal: call({ eventfd }, { syscalls: [syscall('write')] }),
  /** Starts or ends `signalled` events of this eventfd. */
  watch: call({ eventfd, on: bool }),
  close: call({ eventfd }, { syscalls: [syscall('close')] }),
  /** It was signalled `count` times since the last event. */
  signalled: event({ eventfd, count: u32 }, { key: 'eventfd' }),
});
export type EventFd = HalOf<typeof EventFd>;
