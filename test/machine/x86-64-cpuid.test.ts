import test from 'ava';
import { type CpuidEntry, vcpuCpuid } from '../../src/machine/x86-64-cpuid.js';

function entry(leaf: number, registers: Partial<CpuidEntry> = {}): CpuidEntry {
  return { function: leaf, index: 0, flags: 0, eax: 0, ebx: 0, ecx: 0, edx: 0, ...registers };
}

const find = (entries: readonly CpuidEntry[], leaf: number): CpuidEntry[] =>
  entries.filter((found) => found.function === leaf);

test('leaf 1: own APIC id, line size, brand kept; hypervisor and TSC-deadline added', (t) => {
  const host = entry(1, { eax: 0x906a3, ebx: 0x07_40_ff_12, ecx: 0x201, edx: 0x1000_0001 });
  const options = { apicId: 3, vcpus: 1, hasTscDeadline: true };
  const [leaf] = vcpuCpuid([host], options);
  t.deepEqual(leaf, {
    ...host,
    ebx: 0x03_01_08_12,
    ecx: 0x8100_0201,
    edx: 1,
  });
  const [without] = vcpuCpuid([host], { ...options, hasTscDeadline: false });
  t.is(without?.ecx, 0x8000_0201);
  const [two] = vcpuCpuid([host], { ...options, apicId: 0xff, vcpus: 2 });
  t.is(two?.ebx, 0xff_02_08_12);
  t.is(two?.edx, 0x1000_0001);
});

test("the host's topology is replaced by one thread a core", (t) => {
  const host = [
    entry(0xb, { index: 0, ebx: 2, edx: 77 }),
    entry(0xb, { index: 1, ebx: 64, edx: 77 }),
    entry(0xb, { index: 2, edx: 77 }),
    entry(0x1f, { ebx: 2, edx: 77 }),
  ];
  const entries = vcpuCpuid(host, { apicId: 2, vcpus: 3, hasTscDeadline: false });
  t.deepEqual(entries, [
    entry(0xb, { index: 0, flags: 1, eax: 0, ebx: 1, ecx: 0x100, edx: 2 }),
    entry(0xb, { index: 1, flags: 1, eax: 2, ebx: 3, ecx: 0x201, edx: 2 }),
  ]);
  const none = vcpuCpuid([entry(7)], { apicId: 0, vcpus: 1, hasTscDeadline: false });
  t.deepEqual(find(none, 0xb), []);
});

test('all other leaves stay, the hypervisor’s too', (t) => {
  const host = [entry(0, { eax: 0x1f }), entry(0x40000000, { eax: 9 }), entry(0x80000008)];
  t.deepEqual(vcpuCpuid(host, { apicId: 0, vcpus: 1, hasTscDeadline: true }), host);
});
