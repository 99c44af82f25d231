import { EventFd } from '../../src/hal/event-fd.js';
import { Kvm } from '../../src/hal/kvm.js';
import { asm, MEMORY_BYTES, makeGuest, NO_DATA, PORT } from './real-mode-guest.js';
import { type Check, NO_WHOLE_NUMBERS, never, refused, type Suite } from './rig.js';

const TSC = 0x10;
const EFER = 0xc0000080;
const ENODEV = 19;
const REGISTER_OF_128_BITS = 0x0040_0000_0000_0000n;
const MSR_OF_NOBODY = 0x4b564dff;

export const kvmRefusalsSuite: Suite = (check) => {
  answerTests(check);
  stateTests(check);
  argumentTests(check);
  tableTests(check);
  deviceTests(check);
};

function deviceTests(check: Check): void {
  check('kvm: registers by id and in-kernel devices refuse what is not there', (t, rig) => {
    const { kvm, vm, vcpu } = makeGuest(rig, [asm.hlt]);
    t.is(refused(t, 'SYSCALL_FAILED', () => kvm.createDevice({ vm, type: 99 })).errno, ENODEV);
    const attribute = { group: 0, attribute: 0n, value: 0n, hasValue: true };
    refused(t, 'BAD_HANDLE', () => kvm.setDeviceAttribute({ device: vcpu, ...attribute }));
    refused(t, 'INVALID_ARGUMENT', () => kvm.getOneRegister({ vcpu, id: never(1) }));
    refused(t, 'INVALID_ARGUMENT', () => kvm.getOneRegister({ vcpu, id: REGISTER_OF_128_BITS }));
    refused(t, 'SYSCALL_FAILED', () => kvm.setOneRegister({ vcpu, id: 0n, value: 0n }));
    refused(t, 'UNSUPPORTED', () => kvm.preferredTarget({ vm }));
    refused(t, 'UNSUPPORTED', () => kvm.initVcpu({ vcpu, target: 0, features: [] }));
  });
}

function answerTests(check: Check): void {
  check('kvm: an exit is answered exactly once', function* (t, rig) {
    const { kvm, vcpu } = makeGuest(rig, [[...asm.dx(PORT), ...asm.inByte, ...asm.hlt]]);
    const answer = { vcpu, data: new Uint8Array([1]), resume: true };
    refused(t, 'NOT_WAITING', () => kvm.complete({ ...answer, data: NO_DATA }));
    kvm.run({ vcpu });
    yield* rig.nextEvent(Kvm, 'exit');
    kvm.complete(answer);
    refused(t, 'NOT_WAITING', () => kvm.complete(answer));
    t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'hlt');
    kvm.complete({ vcpu, data: NO_DATA, resume: false });
    refused(t, 'NOT_WAITING', () => kvm.complete({ vcpu, data: NO_DATA, resume: false }));
  });

  check('kvm: an answer of the wrong length leaves the exit waiting', function* (t, rig) {
    const { kvm, vcpu } = makeGuest(rig, [
      [...asm.dx(PORT), ...asm.inByte, ...asm.outByte, ...asm.hlt],
    ]);
    kvm.run({ vcpu });
    yield* rig.nextEvent(Kvm, 'exit');
    for (const length of [0, 2, 4096]) {
      const data = new Uint8Array(length);
      refused(t, 'INVALID_ARGUMENT', () => kvm.complete({ vcpu, data, resume: true }));
    }
    kvm.complete({ vcpu, data: new Uint8Array([7]), resume: true });
    t.deepEqual([...(yield* rig.nextEvent(Kvm, 'exit')).data], [7]);
    const data = new Uint8Array(1);
    refused(t, 'INVALID_ARGUMENT', () => kvm.complete({ vcpu, data, resume: true }));
    refused(t, 'INVALID_ARGUMENT', () =>
      kvm.complete({ vcpu, data: NO_DATA, resume: never(undefined) }),
    );
    kvm.complete({ vcpu, data: NO_DATA, resume: true });
    t.is((yield* rig.nextEvent(Kvm, 'exit')).reason, 'hlt');
  });
}

function stateTests(check: Check): void {
  check('kvm: a running vCPU is not run again, nor are its registers open', function* (t, rig) {
    const { kvm, vcpu } = makeGuest(rig, [asm.forever]);
    const registers = kvm.getRegisters({ vcpu });
    refused(t, 'INVALID_ARGUMENT', () => kvm.stop({ vcpu }));
    kvm.run({ vcpu });
    refused(t, 'INVALID_ARGUMENT', () => kvm.run({ vcpu }));
    refused(t, 'INVALID_ARGUMENT', () => kvm.getRegisters({ vcpu }));
    refused(t, 'INVALID_ARGUMENT', () => kvm.setRegisters({ vcpu, registers }));
    refused(t, 'INVALID_ARGUMENT', () => kvm.tscKhz({ vcpu }));
    kvm.stop({ vcpu });
    yield* rig.nextEvent(Kvm, 'exit');
    refused(t, 'INVALID_ARGUMENT', () => kvm.run({ vcpu }));
    t.is(kvm.getRegisters({ vcpu }).rip, registers.rip);
  });

  check('kvm: with the VM its vCPUs are closed', (t, rig) => {
    const { kvm, vm, vcpu, region } = makeGuest(rig, [asm.hlt]);
    kvm.closeVm({ vm });
    refused(t, 'CLOSED_HANDLE', () => kvm.closeVm({ vm }));
    refused(t, 'CLOSED_HANDLE', () => kvm.createVcpu({ vm, id: 1 }));
    refused(t, 'CLOSED_HANDLE', () => kvm.run({ vcpu }));
    refused(t, 'CLOSED_HANDLE', () => kvm.stop({ vcpu }));
    refused(t, 'CLOSED_HANDLE', () => kvm.getRegisters({ vcpu }));
    refused(t, 'NOT_WAITING', () => kvm.complete({ vcpu, data: NO_DATA, resume: true }));
    refused(t, 'BAD_HANDLE', () => kvm.run({ vcpu: region }));
    refused(t, 'BAD_HANDLE', () => kvm.createIrqchip({ vm: vcpu }));
  });
}

function argumentTests(check: Check): void {
  check('kvm: memory slots stay inside their region', (t, rig) => {
    const { kvm, vm, region } = makeGuest(rig, [asm.hlt]);
    const slot = { vm, slot: 1, address: 0x100000, region, offset: 0, readOnly: false };
    refused(t, 'OUT_OF_BOUNDS', () => kvm.setMemory({ ...slot, size: MEMORY_BYTES + 4096 }));
    refused(t, 'OUT_OF_BOUNDS', () => kvm.setMemory({ ...slot, size: 4096, offset: 2 ** 52 }));
    refused(t, 'BAD_HANDLE', () => kvm.setMemory({ ...slot, size: 4096, region: 999 }));
    const error = refused(t, 'SYSCALL_FAILED', () => kvm.setMemory({ ...slot, size: 100 }));
    t.deepEqual([error.errno, error.syscall], [22, 'ioctl']);
    t.is(error.message, 'setMemory: ioctl failed: Invalid argument (EINVAL)');
    kvm.setMemory({ ...slot, size: 4096, readOnly: true });
  });

  check('kvm: numbers that are none, and names of nothing', (t, rig) => {
    const { kvm, vm, vcpu } = makeGuest(rig, [asm.hlt]);
    for (const value of NO_WHOLE_NUMBERS) {
      refused(t, 'INVALID_ARGUMENT', () => kvm.run({ vcpu: never(value) }));
      refused(t, 'INVALID_ARGUMENT', () => kvm.createVcpu({ vm, id: never(value) }));
      refused(t, 'INVALID_ARGUMENT', () => kvm.setTssAddress({ vm, address: never(value) }));
      refused(t, 'INVALID_ARGUMENT', () => kvm.checkExtension({ capability: never(value) }));
    }
    const eventfd = rig.hal(EventFd).create({ name: 'e' });
    const bell = { vm, eventfd, address: 0, length: 1, hasMatch: false, match: 0, on: true };
    refused(t, 'INVALID_ARGUMENT', () => kvm.ioeventfd({ ...bell, space: never('io') }));
    refused(t, 'INVALID_ARGUMENT', () => kvm.ioeventfd({ ...bell, space: 'pio', length: 256 }));
    refused(t, 'SYSCALL_FAILED', () => kvm.ioeventfd({ ...bell, space: 'pio', length: 3 }));
    refused(t, 'BAD_HANDLE', () => kvm.ioeventfd({ ...bell, space: 'pio', eventfd: vm }));
    refused(t, 'SYSCALL_FAILED', () => kvm.irqfd({ vm, eventfd, gsi: 5, on: true }));
    refused(t, 'SYSCALL_FAILED', () => kvm.createVcpu({ vm, id: 0 }));
    refused(t, 'SYSCALL_FAILED', () => kvm.createVcpu({ vm, id: 0xffffffff }));
    t.is(kvm.getRegisters({ vcpu }).rflags, 2n);
  });

  check('kvm: registers that are none', (t, rig) => {
    const { kvm, vcpu } = makeGuest(rig, [asm.hlt]);
    const registers = kvm.getRegisters({ vcpu });
    const system = kvm.getSystemRegisters({ vcpu });
    for (const value of [1, -1n, 2n ** 64n, undefined, 'a']) {
      const wrong = { ...registers, r11: never<bigint>(value) };
      const error = refused(t, 'INVALID_ARGUMENT', () =>
        kvm.setRegisters({ vcpu, registers: wrong }),
      );
      t.regex(error.message, /registers\.r11/);
    }
    for (const value of [null, undefined, 1, 'x']) {
      refused(t, 'INVALID_ARGUMENT', () => kvm.setRegisters({ vcpu, registers: never(value) }));
      refused(t, 'INVALID_ARGUMENT', () =>
        kvm.setSystemRegisters({ vcpu, registers: { ...system, gdt: never(value) } }),
      );
    }
    const cs = { ...system.cs, selector: 0x10000 };
    refused(t, 'INVALID_ARGUMENT', () =>
      kvm.setSystemRegisters({ vcpu, registers: { ...system, cs } }),
    );
    t.deepEqual(kvm.getRegisters({ vcpu }), registers);
    t.deepEqual(kvm.getSystemRegisters({ vcpu }), system);
  });
}

function tableTests(check: Check): void {
  check('kvm: CPUID, MSRs and the time stamp counter', (t, rig) => {
    const { kvm, vcpu } = makeGuest(rig, [asm.hlt]);
    const entries = kvm.supportedCpuid();
    t.true(entries.some((entry) => entry.function === 1));
    kvm.setCpuid({ vcpu, entries });
    t.true(kvm.tscKhz({ vcpu }) > 0);
    const [efer] = kvm.getMsrs({ vcpu, indices: [EFER, TSC] });
    t.deepEqual(efer, { index: EFER, value: 0n });
    kvm.setMsrs({ vcpu, msrs: [{ index: EFER, value: 0x100n }] });
    t.deepEqual(kvm.getMsrs({ vcpu, indices: [EFER] }), [{ index: EFER, value: 0x100n }]);
    t.deepEqual(kvm.getMsrs({ vcpu, indices: [] }), []);
    t.true(kvm.checkExtension({ capability: 0 }) > 0);
    t.is(kvm.checkExtension({ capability: 0xffff }), 0);
  });

  check('kvm: tables that are none, and MSRs of nobody', (t, rig) => {
    const { kvm, vcpu } = makeGuest(rig, [asm.hlt]);
    const error = refused(t, 'UNSUPPORTED', () =>
      kvm.getMsrs({ vcpu, indices: [TSC, MSR_OF_NOBODY] }),
    );
    t.regex(error.message, /0x4b564dff/);
    refused(t, 'UNSUPPORTED', () =>
      kvm.setMsrs({ vcpu, msrs: [{ index: MSR_OF_NOBODY, value: 1n }] }),
    );
    for (const list of [null, 1, 'x', {}, [1], [null], new Array(300)]) {
      refused(t, 'INVALID_ARGUMENT', () => kvm.setMsrs({ vcpu, msrs: never(list) }));
      refused(t, 'INVALID_ARGUMENT', () => kvm.setCpuid({ vcpu, entries: never(list) }));
    }
    refused(t, 'INVALID_ARGUMENT', () => kvm.getMsrs({ vcpu, indices: [2 ** 32] }));
    refused(t, 'INVALID_ARGUMENT', () => kvm.getMsrs({ vcpu, indices: never(new Array(300)) }));
  });
}
