import type { AnswerLedger } from './answers.js';
import { isUnsigned, named } from './codec.js';
import type { CallSpec, FieldSpec, HalContract, HalOf } from './define.js';
import { HalError } from './errors.js';
import { outsideTurn, type TurnScope } from './turn-scope.js';

type Args = Record<string, unknown>;
/** One call with its arguments by name. Calls without arguments get an empty object. */
export type Method = (args: Args) => unknown;

export const NO_ARGS: Args = Object.freeze({});

export interface DeriveOptions {
  readonly scope: TurnScope;
  readonly ledger: AnswerLedger;
  /** False where the layer below checks its arguments itself. */
  readonly validate: boolean;
}

/** What is wrong with the arguments of a call, or undefined. */
export function argumentProblem(spec: CallSpec, args: Args): string | undefined {
  for (const field of spec.args) {
    const problem = field.codec.check(args[field.name]);
    if (problem !== undefined) return named(field.name, problem);
  }
  return undefined;
}

export function invalidArgument(spec: CallSpec, problem: string): HalError {
  return new HalError('INVALID_ARGUMENT', `${spec.contract.halName}.${spec.name}: ${problem}`);
}

/**
 * Builds the object that satisfies a contract, out of one function for each call. Every profile goes through here, so
 * that turn scope, argument checks and answers are alike in all.
 */
export function deriveHal<C extends HalContract>(
  contract: C,
  methodFor: (spec: CallSpec) => Method,
  options: DeriveOptions,
): HalOf<C> {
  const hal: Record<string, Method> = {};
  for (const spec of contract.calls) {
    const inner = options.ledger.guard(spec, methodFor(spec));
    hal[spec.name] = options.validate
      ? validated(spec, inner, options.scope)
      : scoped(spec, inner, options.scope);
  }
  return hal as HalOf<C>;
}

/** The method, returning results as the trace will hold them; most codecs keep values as they are. */
export function roundingResults(spec: CallSpec, inner: Method): Method {
  const only = spec.returnsOne ? spec.results[0]?.codec : undefined;
  if (only !== undefined) {
    return only.round === undefined ? inner : (args) => only.round?.(inner(args));
  }
  const round = roundingFields(spec.results);
  return round === undefined ? inner : (args) => round(inner(args) as Args);
}

/** What rounds the values of these fields, or undefined if none of their codecs rounds. */
export function roundingFields(fields: readonly FieldSpec[]): ((values: Args) => Args) | undefined {
  const rounding = fields.filter((field) => field.codec.round !== undefined);
  if (rounding.length === 0) return undefined;
  return (values) => {
    const rounded = { ...values };
    for (const { name, codec } of rounding) rounded[name] = codec.round?.(rounded[name]);
    return rounded;
  };
}

function scoped(spec: CallSpec, inner: Method, scope: TurnScope): Method {
  const { halName } = spec.contract;
  return (args = NO_ARGS) => {
    if (!scope.active) throw outsideTurn(halName, spec.name);
    return inner(args);
  };
}

function validated(spec: CallSpec, inner: Method, scope: TurnScope): Method {
  const { halName } = spec.contract;
  const fields = spec.args;
  const count = fields.length;
  return (args = NO_ARGS) => {
    if (!scope.active) throw outsideTurn(halName, spec.name);
    for (let index = 0; index < count; index++) {
      const field = fields[index] as FieldSpec;
      const value = args[field.name];
      if (field.max >= 0 && isUnsigned(value, field.max)) continue;
      const problem = field.codec.check(value);
      if (problem !== undefined) throw invalidArgument(spec, named(field.name, problem));
    }
    return inner(args);
  };
}

/** The methods of an implementation, by call. */
export function methodOf(implementation: object, spec: CallSpec): Method {
  const method = (implementation as Record<string, unknown>)[spec.name];
  if (typeof method !== 'function') {
    throw new TypeError(`the implementation of ${spec.contract.halName} lacks "${spec.name}"`);
  }
  return roundingResults(spec, method.bind(implementation) as Method);
}
