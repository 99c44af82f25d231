import { bytes, list } from './contract/arrays.js';
import { handle, oneOf, text, u32 } from './contract/codec.js';
import { call, defineHal, event, type HalOf, syscall } from './contract/define.js';

const channel = handle('channel');

/** Messages between processes: Unix SEQPACKET socket pairs. Boundaries are kept; handles can travel with a message. */
export const Channel = defineHal('channel', {
  /** Creates a pair. The name is the link's, in both processes: the far end is adopted under the same name. */
  pair: call(
    { name: text },
    {
      returns: { near: channel, far: channel },
      opens: { name: 'name', handles: ['near'] },
      syscalls: [
        syscall('socketpair', { 0: 'AF_UNIX', 1: 'SOCK_SEQPACKET|SOCK_CLOEXEC|SOCK_NONBLOCK' }),
      ],
    },
  ),
  /** Takes the end of a link that this process was started with: the n-th given by `Process.spawn`, from 0. */
  adopt: call(
    { slot: u32, name: text },
    {
      returns: channel,
      opens: { name: 'name', handles: ['result'] },
      syscalls: [syscall({ x86_64: 'fcntl', aarch64: 'fcntl', arm: 'fcntl64' })],
    },
  ),
  /**
   * Sends one message, with what is attached to it: regions, eventfds, and attachments, which are the receiver's alone
   * then. Never waits: a full or closed channel is an error (EAGAIN, EPIPE).
   */
  send: call(
    {
      channel,
      data: bytes,
      attach: list(handle('region or eventfd')),
    },
    {
      sends: { link: 'channel', data: 'data' },
      syscalls: [syscall('sendmsg', { 2: 'MSG_NOSIGNAL|MSG_DONTWAIT' })],
    },
  ),
  /** Starts delivery of this channel's messages. */
  listen: call({ channel }),
  close: call({ channel }, { syscalls: [syscall('close')] }),
  /** One message. `attached` are attachments, to be adopted by `Mmap`, `EventFd` or `Seccomp`, in the order they were sent. */
  message: event(
    { channel, data: bytes, attached: list(handle('attachment')) },
    { key: 'channel', receives: { link: 'channel', data: 'data' } },
  ),
  /** The other end is gone, or reading failed. The channel still has to be closed. */
  closed: event({ channel, reason: oneOf('hung-up', 'error') }, { key: 'channel' }),
});
export type Channel = HalOf<typeof Channel>;
