import type { AnyImplementation } from '../src/hal/bind.js';
import { bindNative } from '../src/hal/bind.js';
import { AnswerLedger } from '../src/hal/contract/answers.js';
import type { HalContract, HalOf } from '../src/hal/contract/define.js';
import { TurnScope } from '../src/hal/contract/turn-scope.js';
import { EventFd } from '../src/hal/event-fd.js';
import { Mmap } from '../src/hal/mmap.js';

/** A HAL as the native profile has it, within one turn that does not end. */
export interface NativeHal {
  readonly mmap: HalOf<typeof Mmap>;
  readonly eventFd: HalOf<typeof EventFd>;
}

export function nativeHal(implementations: readonly AnyImplementation[]): NativeHal {
  const contracts: readonly HalContract[] = [Mmap, EventFd];
  const scope = new TurnScope();
  scope.active = true;
  const context = { scope, ledger: new AnswerLedger(contracts), emitter: () => ({}) };
  const bind = (contract: HalContract): object => {
    const implementation = implementations.find((candidate) => candidate.contract === contract);
    if (implementation === undefined) throw new Error(`no native ${contract.halName}`);
    return bindNative({ ...implementation, create: quietly(implementation) }, context);
  };
  return {
    mmap: bind(Mmap) as HalOf<typeof Mmap>,
    eventFd: bind(EventFd) as HalOf<typeof EventFd>,
  };
}

/** Events go nowhere: nothing is watched here. */
function quietly({ contract, create }: AnyImplementation): AnyImplementation['create'] {
  const emit = Object.fromEntries(contract.events.map(({ name }) => [name, () => {}]));
  return () => create(emit as never);
}
