import type { CallSpec, EventSpec } from '../hal/contract/define.js';
import { nameOn, type SyscallUse } from '../hal/contract/footprint.js';
import type { DecodedCall, DecodedTurn } from '../hal/replay/turn-decoder.js';
import { type MadeSyscall, madeSyscalls } from './made-syscalls.js';
import type { SyscallJudge } from './syscall-verdict.js';

/** One thing that the policy does not plainly allow, where it comes first. */
export interface JailFinding {
  readonly kind: 'refused' | 'depends';
  readonly lane: string;
  readonly turn: number;
  /** Which call of the turn, from 0; undefined for its event. */
  readonly call: number | undefined;
  /** `mmap.discard`. */
  readonly entry: string;
  readonly syscall: string;
  readonly why: string;
  /** How often it comes in this lane. */
  readonly times: number;
}

export interface LaneVerdicts {
  readonly lane: string;
  /** Calls and events whose system calls were judged. */
  readonly judged: number;
  /** Calls and events that are somebody else's, or come before the jail. */
  readonly passedOver: number;
  readonly syscalls: number;
  /** Calls and events for which Node itself makes the system calls, by name. */
  readonly byNode: readonly string[];
  readonly findings: readonly JailFinding[];
}

/** The calls after which a process is jailed. */
const ENTRANCES: ReadonlySet<string> = new Set([
  'seccomp.install',
  'seccomp.confine',
  'seccomp.confineAndNotify',
]);

/**
 * Judges what one lane does once it is jailed: after the call that jails it, or, in a recording without one, after start-up
 * (turn 0), at whose end a device enters its jail.
 */
export class LaneJudge {
  readonly #lane: string;
  readonly #judge: SyscallJudge;
  readonly #entries: ReadonlySet<string> | undefined;
  readonly #findings = new Map<string, JailFinding>();
  readonly #byNode = new Set<string>();
  #isJailed = false;
  #judged = 0;
  #passedOver = 0;
  #syscalls = 0;

  /** @param entries the calls and events to judge, as in "mmap.discard"; undefined for all. */
  constructor(lane: string, judge: SyscallJudge, entries: ReadonlySet<string> | undefined) {
    this.#lane = lane;
    this.#judge = judge;
    this.#entries = entries;
  }

  /** The lane's next turn. */
  turn({ number, event, calls }: DecodedTurn): void {
    if (number > 0) this.#isJailed = true;
    if (event !== undefined) this.#entry(event.spec, event.payload, number, undefined, undefined);
    calls.forEach((call, index) => {
      const { spec, args, outcome } = call;
      const failed = outcome.kind === 'error' ? (outcome.failure.syscall ?? undefined) : undefined;
      if (outcome.kind === 'result' && ENTRANCES.has(nameOf(spec))) this.#enter();
      else this.#entry(spec, seenArguments(call, args), number, index, failed);
    });
  }

  verdicts(): LaneVerdicts {
    return {
      lane: this.#lane,
      judged: this.#judged,
      passedOver: this.#passedOver,
      syscalls: this.#syscalls,
      byNode: [...this.#byNode].sort(),
      findings: [...this.#findings.values()],
    };
  }

  /** What came before was not jailed. */
  #enter(): void {
    this.#isJailed = true;
    this.#passedOver += this.#judged + 1;
    this.#judged = 0;
    this.#syscalls = 0;
    this.#findings.clear();
    this.#byNode.clear();
  }

  #entry(
    spec: CallSpec | EventSpec,
    args: Readonly<Record<string, unknown>>,
    turn: number,
    call: number | undefined,
    failedSyscall: string | undefined,
  ): void {
    const entry = nameOf(spec);
    if (!this.#isJailed || this.#entries?.has(entry) === false) {
      this.#passedOver += 1;
      return;
    }
    this.#judged += 1;
    const footprint = spec.definition.options.syscalls ?? [];
    if (footprint === 'node') {
      this.#byNode.add(entry);
      return;
    }
    const { architecture } = this.#judge.policy;
    const uses = failedSyscall === undefined ? footprint : until(footprint, failedSyscall);
    for (const made of madeSyscalls(uses, args, architecture)) {
      this.#syscalls += made.count;
      this.#add(made, { lane: this.#lane, turn, call, entry });
    }
  }

  #add(made: MadeSyscall, where: Pick<JailFinding, 'lane' | 'turn' | 'call' | 'entry'>): void {
    const { kind, why } = this.#judge.judge(made);
    if (kind === 'allowed') return;
    const key = `${where.entry} ${made.name} ${kind} ${why}`;
    const known = this.#findings.get(key);
    if (known === undefined) {
      this.#findings.set(key, { ...where, kind, syscall: made.text, why, times: made.count });
    } else this.#findings.set(key, { ...known, times: known.times + made.count });
  }
}

function nameOf(spec: CallSpec | EventSpec): string {
  return `${spec.contract.halName}.${spec.name}`;
}

/** A filled buffer stands among the arguments with its content; its length is what a footprint asks for. */
function seenArguments(
  { outcome }: DecodedCall,
  args: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return outcome.kind === 'result' ? { ...args, ...outcome.outs } : args;
}

/** A call that failed made no system call after the one that did. One that failed by itself is judged as if it had not. */
function until(footprint: readonly SyscallUse[], failed: string): readonly SyscallUse[] {
  const isFailed = (use: SyscallUse) =>
    [use, ...use.instead].some((each) =>
      (['x86_64', 'aarch64', 'arm'] as const).some((name) => nameOn(each, name) === failed),
    );
  const at = footprint.findIndex(isFailed);
  return at === -1 ? footprint : footprint.slice(0, at + 1);
}
