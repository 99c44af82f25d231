import fc from 'fast-check';
import type { CallSpec, EventSpec, HalContract } from '../../src/hal/contract/define.js';
import { HalError } from '../../src/hal/contract/errors.js';
import { callsOf, payloadsOf, type RandomCall } from '../hal/arbitrary.js';

/** One call that the program makes, and what the hardware does about it. */
export interface PlannedCall extends RandomCall {
  /** What the hardware puts into the buffers given to it, by their names. */
  readonly fills: Readonly<Record<string, Uint8Array>>;
}

/** One turn after start-up: an event, with the call that answers it where its contract wants one. */
export interface PlannedEvent {
  readonly spec: EventSpec;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly answer: PlannedCall | undefined;
}

/** A run that makes every call and gets every event of some contracts. */
export interface Plan {
  readonly contracts: readonly HalContract[];
  /** The calls of start-up: each call that answers nothing, several times. */
  readonly calls: readonly PlannedCall[];
  readonly events: readonly PlannedEvent[];
}

/** Each call ends well this often, and fails once. */
const SUCCESSES = 3;
const SEED = 448516;

/** Makes values for whatever the contracts declare; the same ones each time. */
export function planFor(contracts: readonly HalContract[]): Plan {
  const calls: PlannedCall[] = [];
  const events: PlannedEvent[] = [];
  for (const contract of contracts) {
    for (const spec of contract.calls) {
      const planned = plannedCalls(spec);
      const answers = spec.definition.options.answers;
      if (answers === undefined) {
        calls.push(...planned);
        continue;
      }
      for (const answer of planned) {
        events.push(
          eventOf(contract, answers.event, { [answers.key]: answer.args[answers.key] }, answer),
        );
      }
    }
    for (const { name } of contract.events) events.push(eventOf(contract, name, {}, undefined));
  }
  return { contracts, calls, events };
}

function plannedCalls(spec: CallSpec): PlannedCall[] {
  const [failing, ...others] = fc.sample(callsOf(spec), { numRuns: 1 + SUCCESSES, seed: SEED });
  if (failing === undefined) throw new Error('fast-check made nothing');
  const error = new HalError('SYSCALL_FAILED', `${spec.name} fails, as planned`, {
    errno: 5,
    syscall: 'ioctl',
  });
  return [
    { ...failing, error, fills: {} },
    ...others.map((call) => ({ ...call, error: undefined, fills: fillsOf(call) })),
  ];
}

/** What a call returns if it does not fail. */
export function resultOf({ spec, results }: RandomCall): unknown {
  if (spec.results.length === 0) return undefined;
  return spec.returnsOne ? results['result'] : results;
}

/** For each buffer of the call, as many elements that are not zero. */
function fillsOf({ spec, args }: RandomCall): Record<string, Uint8Array> {
  const filled = spec.outs.map(({ name }) => [
    name,
    (structuredClone(args[name]) as Uint8Array).fill(0x5a),
  ]);
  return Object.fromEntries(filled);
}

function eventOf(
  contract: HalContract,
  name: string,
  fixed: Readonly<Record<string, unknown>>,
  answer: PlannedCall | undefined,
): PlannedEvent {
  const spec = contract.events.find((candidate) => candidate.name === name);
  if (spec === undefined) throw new Error(`${contract.halName} declares no event ${name}`);
  const [payload] = fc.sample(payloadsOf(spec), { numRuns: 1, seed: SEED });
  return { spec, payload: { ...payload, ...fixed }, answer };
}
