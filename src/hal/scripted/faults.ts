import type { CallSpec, HalContract, HalOf } from '../contract/define.js';
import { type Method, methodOf } from '../contract/derive.js';
import { HalError, type HalErrorCode } from '../contract/errors.js';
import type { Emitter, Implementation } from '../contract/implementation.js';

/** How an injected call fails. */
export interface Fault {
  /** Default: SYSCALL_FAILED. */
  readonly code?: HalErrorCode;
  /** Linux errno, positive. */
  readonly errno?: number;
  readonly syscall?: string;
}

interface Planned extends Fault {
  readonly contract: string;
  readonly call: string;
  /** Which call of its kind, from 1. */
  readonly nth: number;
  fired: boolean;
}

/** A fault that never came to be, and how many calls there were. */
export interface UnusedFault {
  readonly contract: string;
  readonly call: string;
  readonly nth: number;
  readonly made: number;
}

/**
 * Makes chosen calls fail before they reach their implementation. It lies below the recorder, so that an injected
 * failure is an outcome like any other: recorded, and replayed without the injector.
 */
export class Faults {
  private readonly planned = new Map<CallSpec, Planned[]>();
  private readonly made = new Map<CallSpec, number>();

  /** Lets the n-th call (from 1) of this kind fail; other calls are not touched. */
  failCall<C extends HalContract>(
    contract: C,
    call: keyof HalOf<C> & string,
    nth: number,
    fault: Fault,
  ): this {
    const spec = contract.calls.find((candidate) => candidate.name === call);
    if (spec === undefined) throw new TypeError(`${contract.halName} declares no call "${call}"`);
    if (!Number.isSafeInteger(nth) || nth < 1) {
      throw new TypeError(`calls are counted from 1, got ${nth}`);
    }
    const faults = this.planned.get(spec) ?? [];
    faults.push({ ...fault, contract: contract.halName, call, nth, fired: false });
    this.planned.set(spec, faults);
    return this;
  }

  /** The implementation with these faults in front of it. Calls are counted across all that are wrapped. */
  wrap<C extends HalContract>(implementation: Implementation<C>): Implementation<C> {
    const { contract } = implementation;
    const create = (emit: Emitter<C>): HalOf<C> => {
      const inner = implementation.create(emit) as object;
      const methods = contract.calls.map((spec) => [
        spec.name,
        this.counted(spec, methodOf(inner, spec)),
      ]);
      return Object.fromEntries(methods) as HalOf<C>;
    };
    return { ...implementation, create };
  }

  unused(): UnusedFault[] {
    return [...this.planned].flatMap(([spec, faults]) =>
      faults
        .filter((fault) => !fault.fired)
        .map(({ contract, call, nth }) => ({ contract, call, nth, made: this.madeOf(spec) })),
    );
  }

  private madeOf(spec: CallSpec): number {
    return this.made.get(spec) ?? 0;
  }

  private counted(spec: CallSpec, inner: Method): Method {
    return (args) => {
      const nth = this.madeOf(spec) + 1;
      this.made.set(spec, nth);
      const fault = this.planned.get(spec)?.find((candidate) => candidate.nth === nth);
      if (fault === undefined) return inner(args);
      fault.fired = true;
      throw errorOf(fault);
    };
  }
}

function errorOf({
  contract,
  call,
  nth,
  code = 'SYSCALL_FAILED',
  errno,
  syscall,
}: Planned): HalError {
  const how = [
    ...(syscall === undefined ? [] : [syscall]),
    ...(errno === undefined ? [] : [`errno ${errno}`]),
  ];
  const detail = how.length === 0 ? '' : ` (${how.join(', ')})`;
  return new HalError(code, `${contract}.${call}: injected failure of call ${nth}${detail}`, {
    errno,
    syscall,
  });
}
