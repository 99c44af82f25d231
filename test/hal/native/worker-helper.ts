// Starts a worker that leaves everything open, ends it, and does so again; then ends itself the same way.
import { accessSync } from 'node:fs';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { Channel } from '../../../src/hal/channel.js';
import { Clock } from '../../../src/hal/clock.js';
import { EventFd } from '../../../src/hal/event-fd.js';
import { Kvm } from '../../../src/hal/kvm.js';
import { asm, makeGuest } from '../../contract/real-mode-guest.js';
import { makeNativeRig } from './native-implementations.js';

function hasKvm(): boolean {
  try {
    accessSync('/dev/kvm', 6);
    return true;
  } catch {
    return false;
  }
}

/** Leaves a watched eventfd, an armed timer, a listening channel, a running vCPU and a waiting one. */
async function leaveOpen(): Promise<void> {
  const rig = makeNativeRig();
  const eventFd = rig.hal(EventFd);
  const eventfd = eventFd.create({ name: 'e' });
  eventFd.watch({ eventfd, on: true });
  const clock = rig.hal(Clock);
  const timer = clock.createTimer({ name: 't' });
  clock.arm({ timer, first: 1000, period: 1000 });
  const { near, far } = rig.hal(Channel).pair({ name: 'l' });
  rig.hal(Channel).listen({ channel: near });
  rig.hal(Channel).send({ channel: far, data: new Uint8Array([1]), attach: [eventfd] });
  await rig.nextEvent(Channel, 'message');
  if (!hasKvm()) return;
  const running = makeGuest(rig, [asm.forever]);
  running.kvm.run({ vcpu: running.vcpu });
  const waiting = makeGuest(rig, [asm.hlt]);
  waiting.kvm.run({ vcpu: waiting.vcpu });
  await rig.nextEvent(Kvm, 'exit');
}

async function endWorkers(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const worker = new Worker(new URL(import.meta.url));
    await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    await worker.terminate();
  }
}

if (isMainThread) {
  await endWorkers();
  await leaveOpen();
  process.stdout.write('done');
  process.exit(0);
} else {
  await leaveOpen();
  parentPort?.postMessage('open');
}
