import { EventFd } from '../../../src/hal/event-fd.js';
import { Kvm } from '../../../src/hal/kvm.js';
import { asm, DEVICE, makeGuest, NO_DATA, PORT } from '../../contract/real-mode-guest.js';
import type { TracedHal } from './traced-hal.js';

/** KVM_CAP_IRQCHIP. */
const IRQCHIP = 0;
const MSR_EFER = 0xc000_0080;
const TSS_ADDRESS = 0xfffb_d000;
const IDENTITY_MAP_ADDRESS = 0xfffb_c000;

/** Every call of x86_64's `Kvm`, once: a machine with interrupt controllers, and a guest that halts twice. */
export async function machines(traced: TracedHal): Promise<void> {
  const kvm = traced.hal(Kvm);
  kvm.checkExtension({ capability: IRQCHIP });
  const entries = kvm.supportedCpuid();
  const vm = kvm.createVm();
  kvm.setTssAddress({ vm, address: TSS_ADDRESS });
  kvm.setIdentityMapAddress({ vm, address: IDENTITY_MAP_ADDRESS });
  kvm.createIrqchip({ vm });
  kvm.createPit({ vm });
  const vcpu = kvm.createVcpu({ vm, id: 0 });
  kvm.setCpuid({ vcpu, entries });
  kvm.setMsrs({ vcpu, msrs: kvm.getMsrs({ vcpu, indices: [MSR_EFER] }) });
  kvm.tscKhz({ vcpu });
  const eventFds = traced.hal(EventFd);
  const eventfd = eventFds.create({ name: 'bell' });
  for (const on of [true, false]) {
    const space = 'mmio' as const;
    const place = { address: DEVICE, space, length: 4, hasMatch: true, match: 1 };
    kvm.ioeventfd({ vm, eventfd, ...place, on });
    kvm.irqfd({ vm, eventfd, gsi: 5, on });
    kvm.setIrqLine({ vm, gsi: 5, level: on });
    kvm.coalesce({ vm, address: PORT, size: 1, space: 'pio', on });
    kvm.post({ vm, address: 0xd0000000, size: 4, on });
  }
  eventFds.close({ eventfd });
  kvm.closeVm({ vm });

  const guest = makeGuest(traced, [asm.hlt, asm.hlt]);
  kvm.run({ vcpu: guest.vcpu });
  await traced.nextEvent(Kvm, 'exit');
  kvm.complete({ vcpu: guest.vcpu, data: NO_DATA, resume: true });
  await traced.nextEvent(Kvm, 'exit');
  kvm.complete({ vcpu: guest.vcpu, data: NO_DATA, resume: false });
  kvm.closeVm({ vm: guest.vm });
  guest.mmap.closeRegion({ region: guest.region });

  const busy = makeGuest(traced, [asm.forever]);
  kvm.run({ vcpu: busy.vcpu });
  kvm.stop({ vcpu: busy.vcpu });
  await traced.nextEvent(Kvm, 'exit');
  kvm.complete({ vcpu: busy.vcpu, data: NO_DATA, resume: false });
  kvm.closeVm({ vm: busy.vm });
}
