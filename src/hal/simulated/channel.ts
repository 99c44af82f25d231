import { Channel } from '../channel.js';
import type { HalOf } from '../contract/define.js';
import { HalError } from '../contract/errors.js';
import { type Emitter, type Implementation, implement } from '../contract/implementation.js';
import { HandleSpace } from './handles.js';
import { attachable } from './memory.js';
import { AT_ONCE, type Post } from './task-queue.js';

const EPIPE = 32;
const EAGAIN = 11;
const EBADF = 9;
/** As a socket's buffer, it holds so many messages that nobody has read. */
const MAX_UNREAD = 256;
const MAX_MESSAGE_BYTES = 65_536;

interface Message {
  readonly data: Uint8Array;
  /** Regions' memory and eventfds' counters, as descriptors are in flight. */
  readonly attached: readonly object[];
}

/** One end of a link; it may move to another simulated process. */
export class ChannelEnd {
  readonly inbox: Message[] = [];
  peer: ChannelEnd | undefined;
  /** Wakes whoever listens. */
  wake: () => void = () => {};
  isClosed = false;

  static pair(): readonly [ChannelEnd, ChannelEnd] {
    const ends = [new ChannelEnd(), new ChannelEnd()] as const;
    ends[0].peer = ends[1];
    ends[1].peer = ends[0];
    return ends;
  }

  /** The other end is gone. What it sent before may still be unread. */
  get isHungUp(): boolean {
    return this.peer?.isClosed !== false;
  }

  close(): void {
    this.isClosed = true;
    this.inbox.length = 0;
    this.peer?.wake();
  }
}

/** The `Channel` contract, and what simulated processes need of it. */
export interface SimulatedChannel extends Implementation<typeof Channel> {
  /** Takes a channel away from this process, to give it to another. Its handle is closed. */
  release(channel: number): ChannelEnd;
}

export interface SimulatedChannelOptions {
  readonly handles?: HandleSpace;
  readonly post?: Post;
  /** What this process was started with, by slot. */
  readonly given?: readonly ChannelEnd[];
}

/**
 * Messages without sockets, between objects of one process or of several composed lanes. Attachments become handles in
 * the receiver's space that name the same memory and the same eventfds.
 */
export function simulatedChannel(options: SimulatedChannelOptions = {}): SimulatedChannel {
  const handles = options.handles ?? new HandleSpace();
  const post = options.post ?? AT_ONCE;
  const given = [...(options.given ?? [])];
  const open = new Set<ChannelEnd>(given);
  const adopted = new Set<number>();
  const find = (channel: number): ChannelEnd => handles.find<ChannelEnd>('channel', channel);
  const own = (end: ChannelEnd): number => {
    open.add(end);
    return handles.open('channel', end);
  };

  const create = (emit: Emitter<typeof Channel>): HalOf<typeof Channel> => ({
    pair: () => {
      const [near, far] = ChannelEnd.pair();
      return { near: own(near), far: own(far) };
    },
    adopt: ({ slot }) => {
      if (adopted.has(slot)) {
        throw new HalError('INVALID_ARGUMENT', `slot ${slot} was adopted before`);
      }
      const end = given[slot];
      if (end === undefined) throw failed('getsockopt', EBADF, `nothing was given as slot ${slot}`);
      adopted.add(slot);
      return own(end);
    },
    send: ({ channel, data, attach }) => {
      const end = find(channel);
      const attached = attach.map((handle) => attachable(handles, handle));
      if (data.length === 0 || data.length > MAX_MESSAGE_BYTES) {
        const range = `1 to ${MAX_MESSAGE_BYTES}`;
        throw new HalError('INVALID_ARGUMENT', `data must hold ${range} bytes, got ${data.length}`);
      }
      const { peer } = end;
      if (peer === undefined || end.isHungUp)
        throw failed('sendmsg', EPIPE, 'the other end is gone');
      if (peer.inbox.length >= MAX_UNREAD) throw failed('sendmsg', EAGAIN, 'the other end is full');
      peer.inbox.push({ data: data.slice(), attached });
      peer.wake();
    },
    listen: ({ channel }) => {
      const end = find(channel);
      let isOver = false;
      const deliver = () => {
        if (isOver || end.isClosed) return;
        const message = end.inbox.shift();
        if (message !== undefined) {
          const attached = message.attached.map((object) => handles.open('attachment', object));
          emit.message({ channel, data: message.data, attached });
        } else if (end.isHungUp) {
          isOver = true;
          emit.closed({ channel, reason: 'hung-up' });
        }
      };
      end.wake = () => post(deliver);
      for (let unread = end.inbox.length; unread > 0; unread--) end.wake();
      if (end.isHungUp) end.wake();
    },
    close: ({ channel }) => {
      const end = find(channel);
      handles.close('channel', channel);
      open.delete(end);
      end.close();
    },
  });
  return {
    ...implement(Channel, create, {
      dispose: () => {
        for (const end of open) end.close();
        open.clear();
      },
    }),
    release: (channel) => {
      const end = find(channel);
      handles.close('channel', channel);
      open.delete(end);
      return end;
    },
  };
}

function failed(syscall: string, errno: number, message: string): HalError {
  return new HalError('SYSCALL_FAILED', `${syscall}: ${message}`, { errno, syscall });
}
