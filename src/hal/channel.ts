import { bytes, list } from './contract/arrays.js';
import { handle, oneOf, text, u32 } from './contract/codec.js';
import { call, defineHal, event, type HalOf } from './contract/define.js';
import { syscall } from './contract/footprint.js';
import { CLOSE_POLLED, FCNTL, POLL_START, POLL_STOP } from './usual-syscalls.js';

const channel = handle('channel');

/** Where a process finds the first channel that it was started with: behind its standard streams. */
const FIRST_SLOT_FD = 3;
const RECEIVE = syscall('recvmsg', { 2: 'MSG_CMSG_CLOEXEC|MSG_DONTWAIT' });

/** Messages between processes: Unix SEQPACKET socket pairs. Boundaries are kept; handles can travel with a message. */
export const Channel = defineHal('channel', {
  /** Creates a pair. The name is the link's, in both processes: the far end is adopted under the same name. */
  pair: call(
    { name: text },
    {
      returns: { near: channel, far: channel },
      opens: { name: 'name', handles: ['near'] },
      syscalls: [
        syscall('socketpair', {
          0: 'AF_UNIX',
          1: 'SOCK_SEQPACKET|SOCK_CLOEXEC|SOCK_NONBLOCK',
          2: 0,
        }),
      ],
    },
  ),
  /** Takes the end of a link that this process was started with: the n-th given by `Process.spawn`, from 0. */
  adopt: call(
    { slot: u32, name: text },
    {
      returns: channel,
      opens: { name: 'name', handles: ['result'] },
      syscalls: [
        syscall(FCNTL, { 0: (a) => FIRST_SLOT_FD + a.slot, 1: 'F_SETFD', 2: 'FD_CLOEXEC' }),
      ],
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
      syscalls: [
        syscall('sendmsg', { 2: 'MSG_NOSIGNAL|MSG_DONTWAIT' }),
        // Of attachments, which are the receiver's now; a region and an eventfd stay open.
        syscall('close', {}, { each: (a) => a.attach.map(() => ({})), times: 'optional' }),
      ],
    },
  ),
  /** Starts delivery of this channel's messages. */
  listen: call({ channel }, { syscalls: POLL_START }),
  close: call({ channel }, { syscalls: CLOSE_POLLED }),
  /** One message. `attached` are attachments, to be adopted by `Mmap`, `EventFd` or `Seccomp`, in the order they were sent. */
  message: event(
    { channel, data: bytes, attached: list(handle('attachment')) },
    { key: 'channel', receives: { link: 'channel', data: 'data' }, syscalls: [RECEIVE] },
  ),
  /** The other end is gone, or reading failed. The channel still has to be closed. */
  closed: event(
    { channel, reason: oneOf('hung-up', 'error') },
    { key: 'channel', syscalls: [RECEIVE, ...POLL_STOP] },
  ),
});
export type Channel = HalOf<typeof Channel>;
