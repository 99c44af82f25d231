import type { AnswerLedger } from './contract/answers.js';
import type { HalContract, HalOf } from './contract/define.js';
import { deriveHal, type Method, methodOf } from './contract/derive.js';
import { HalError } from './contract/errors.js';
import type { Emitter } from './contract/implementation.js';
import type { TurnScope } from './contract/turn-scope.js';
import type { TurnEncoder } from './record/turn-encoder.js';
import type { Matcher } from './replay/matcher.js';

/** What every bound contract shares within one lane. */
export interface BindingContext {
  readonly scope: TurnScope;
  readonly ledger: AnswerLedger;
  readonly emitter: (contract: HalContract) => Emitter<HalContract>;
}

/** An implementation of any contract: an `Implementation<typeof X>` whose X is not known here. */
export interface AnyImplementation {
  readonly contract: HalContract;
  readonly create: (emit: never) => object;
  readonly validates?: boolean;
  readonly dispose?: () => void;
}

/** The implementation of a contract, or an error that names what is missing. */
export function implementationOf(
  contract: HalContract,
  implementations: readonly AnyImplementation[],
): AnyImplementation {
  const found = implementations.find((candidate) => candidate.contract === contract);
  if (found === undefined) {
    throw new HalError(
      'MISSING_BINDING',
      `no implementation of the contract "${contract.halName}" was given to this profile. Add one to its ` +
        'implementations, or drop the contract from the program',
    );
  }
  return found;
}

/** Straight to the implementation. */
export function bindNative(
  implementation: AnyImplementation,
  { scope, ledger, emitter }: BindingContext,
): object {
  const { contract } = implementation;
  const inner = implementation.create(emitter(contract) as never);
  const validate = implementation.validates !== true;
  return deriveHal(contract, (spec) => methodOf(inner, spec), { scope, ledger, validate });
}

/** To the implementation, and into the turn under way. */
export function bindRecording(
  implementation: AnyImplementation,
  encoder: TurnEncoder,
  { scope, ledger, emitter }: BindingContext,
): object {
  const { contract } = implementation;
  const inner = implementation.create(emitter(contract) as never);
  // The encoder checks the arguments while it writes them.
  return deriveHal(contract, (spec) => encoder.recording(spec, methodOf(inner, spec)), {
    scope,
    ledger,
    validate: false,
  });
}

/** Answered from the trace. With an encoder the replay is written down again. */
export function bindReplaying<C extends HalContract>(
  contract: C,
  matcher: Matcher,
  encoder: TurnEncoder | undefined,
  { scope, ledger }: BindingContext,
): HalOf<C> {
  const methodFor = (spec: C['calls'][number]): Method => {
    const matched = matcher.method(spec);
    return encoder === undefined ? matched : encoder.recording(spec, matched);
  };
  // The matcher refuses invalid arguments itself, when they do not match.
  return deriveHal(contract, methodFor, { scope, ledger, validate: false });
}
