/** Why a virtual machine is over. */
export type VmEnd =
  /** The guest ended itself by writing this code to its exit port. */
  | { readonly kind: 'guest-exit'; readonly code: number }
  /** The guest turned the machine off. */
  | { readonly kind: 'power-off' }
  /** The guest asked for a restart, which ends the machine here. */
  | { readonly kind: 'reset' }
  /** The guest's kernel gave up; its own words. */
  | { readonly kind: 'panic'; readonly message: string }
  /** A triple fault, or the like. */
  | { readonly kind: 'shutdown' }
  /** KVM_SYSTEM_EVENT_* other than shutdown and reset: 3 is a crash. */
  | { readonly kind: 'system-event'; readonly type: bigint }
  /** KVM_INTERNAL_ERROR_*: 1 means an instruction that KVM could not emulate. */
  | { readonly kind: 'internal-error'; readonly suberror: bigint }
  /** The CPU refused the vCPU's state; the number is the hardware's. */
  | { readonly kind: 'fail-entry'; readonly hardwareReason: bigint }
  /** A vCPU halted where no in-kernel interrupt controller would wake it. */
  | { readonly kind: 'halted' }
  /** `Machine.stop` was called, with this reason. */
  | { readonly kind: 'stopped'; readonly why: string }
  /** What the run was to do did not come about. */
  | { readonly kind: 'scenario-failed'; readonly why: string }
  /** An exit that nobody here knows; the number is KVM's. */
  | { readonly kind: 'unknown-exit'; readonly exitReason: bigint };

/** One line for a person. */
export function describeVmEnd(end: VmEnd): string {
  switch (end.kind) {
    case 'guest-exit':
      return `the guest ended with code ${end.code}`;
    case 'power-off':
      return 'the guest powered off';
    case 'reset':
      return 'the guest asked for a restart';
    case 'panic':
      return `the guest's kernel panicked: ${end.message}`;
    case 'shutdown':
      return 'the guest shut down (or took a triple fault)';
    case 'system-event':
      return `the guest asked for system event ${end.type} (3 is a crash)`;
    case 'internal-error':
      return `KVM could not go on with the guest (internal error ${end.suberror})`;
    case 'fail-entry':
      return `the CPU refused the guest's state (entry failure 0x${end.hardwareReason.toString(16)})`;
    case 'halted':
      return 'the guest halted for good';
    case 'stopped':
      return `the machine was stopped: ${end.why}`;
    case 'scenario-failed':
      return end.why;
    case 'unknown-exit':
      return `the guest left KVM for a reason not known here (exit ${end.exitReason})`;
  }
}

/** Whether the guest came to an end of its own will, and a good one. */
export function isOrderly(end: VmEnd): boolean {
  if (end.kind === 'guest-exit') return end.code === 0;
  return end.kind === 'stopped' || end.kind === 'power-off' || end.kind === 'reset';
}
