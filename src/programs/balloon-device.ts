import { inject, injectable } from 'inversify';
import { BalloonDevice } from '../devices/balloon/balloon-device.js';
import { CONFIG_NUM_PAGES } from '../devices/balloon/constants.js';
import { BalloonControl } from '../devices/balloon/control.js';
import { configBytes, offeredFeatures } from '../devices/balloon/features.js';
import { queueCount } from '../devices/balloon/queue-functions.js';
import { StatsServer } from '../devices/balloon/stats-server.js';
import { VhostUserDaemon } from '../devices/virtio/vhost-user/daemon.js';
import { Channel } from '../hal/channel.js';
import { HalError } from '../hal/contract/errors.js';
import { EventFd } from '../hal/event-fd.js';
import { Mmap } from '../hal/mmap.js';
import { Seccomp } from '../hal/seccomp.js';
import type { ProgramRoot } from '../program.js';
import { Reactor } from '../reactor/reactor.js';
import { BALLOON_VM_CONFIG, type BalloonVmConfig } from './balloon-config.js';
import { enterJail } from './device-jail.js';
import { DEVICE_SLOTS } from './device-process.js';

/** The balloon in a process of its own: serves the channels that it was started with until the transport is closed. */
@injectable()
export class BalloonDeviceLane implements ProgramRoot {
  #device: BalloonDevice | undefined;

  constructor(
    @inject(BALLOON_VM_CONFIG) private readonly config: BalloonVmConfig,
    @inject(Reactor) private readonly reactor: Reactor,
    @inject(Mmap) private readonly mmap: Mmap,
    @inject(EventFd) private readonly eventFd: EventFd,
    @inject(Channel) private readonly channel: Channel,
    @inject(Seccomp) private readonly seccomp: Seccomp,
  ) {}

  start(): void {
    const { mmap, eventFd, channel, reactor } = this;
    const choice = this.config.balloon;
    const features = offeredFeatures(choice);
    const transport = channel.adopt({ slot: DEVICE_SLOTS.transport, name: 'transport' });
    const control = channel.adopt({ slot: DEVICE_SLOTS.control, name: 'control' });
    const backend = channel.adopt({ slot: DEVICE_SLOTS.backend, name: 'backend' });
    const stats = new StatsServer((data) => this.#answer(control, data));
    const daemon = new VhostUserDaemon({
      hal: { mmap, eventFd, channel },
      events: reactor,
      transport,
      backend,
      features,
      queues: queueCount(features),
      config: new Uint8Array(configBytes(features)),
      makeDevice: (ram, frontend) => {
        const listener = {
          actualChanged: () => {},
          statsAnswered: stats.statsAnswered.bind(stats),
          statsFailed: stats.statsFailed.bind(stats),
        };
        this.#device = new BalloonDevice({
          mmap,
          ram,
          frontend,
          listener,
          features: choice,
        });
        return this.#device;
      },
      onReady: () => this.#listen(daemon, control, stats),
    });
    reactor.on(Channel, 'message', transport, ({ data, attached }) =>
      daemon.handle(data, attached),
    );
    reactor.on(Channel, 'closed', transport, () => reactor.stop());
    this.#enterJail();
    channel.listen({ channel: transport });
  }

  /** Nothing has come from the guest yet: its memory comes over the transport. */
  #enterJail(): void {
    const { jail } = this.config;
    if (jail === 'off') return;
    const { channel, seccomp } = this;
    const parent = channel.adopt({ slot: DEVICE_SLOTS.jail, name: 'jail' });
    enterJail({ channel, seccomp }, jail, parent);
  }

  /**
   * Targets and requests for statistics count from now on. After a restart the target that is asked for may be the new
   * device's own 0, while the config space has its predecessor's: so the config space is set by every target, not by
   * every change.
   */
  #listen(daemon: VhostUserDaemon, control: number, stats: StatsServer): void {
    const messages = new BalloonControl({
      setTargetBytes: (bytes) => {
        const device = this.#device;
        if (device === undefined) return 'above-limit';
        const outcome = device.setTargetBytes(bytes);
        if (outcome === 'set') daemon.configChanged(CONFIG_NUM_PAGES, pagesField(device));
        return outcome;
      },
    });
    this.reactor.on(Channel, 'message', control, ({ data }) => {
      if (!stats.handle(data, this.#device, this.reactor.nowNs)) messages.handle(data);
    });
    this.channel.listen({ channel: control });
  }

  /** Who does not read its answers, or is gone, gets none. */
  #answer(control: number, data: Uint8Array): void {
    try {
      this.channel.send({ channel: control, data, attach: [] });
    } catch (error) {
      if (!HalError.is(error) || error.code !== 'SYSCALL_FAILED') throw error;
    }
  }
}

function pagesField({ targetPages }: BalloonDevice): Uint8Array {
  const field = new Uint8Array(4);
  new DataView(field.buffer).setUint32(0, targetPages, true);
  return field;
}
