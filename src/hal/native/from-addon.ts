import type { HalContract, HalOf } from '../contract/define.js';
import type { Emitter } from '../contract/implementation.js';
import type { AddonFunction, AddonFunctions, AddonSession } from './addon.js';

type Args = Readonly<Record<string, unknown>>;
type Shim = (args: Args) => unknown;

/** One closure for each arity: a spread would allocate on every call. */
function positional(fn: AddonFunction, names: readonly string[]): Shim {
  const [a = '', b = '', c = '', d = '', e = '', f = '', g = '', h = ''] = names;
  switch (names.length) {
    case 0:
      return () => fn();
    case 1:
      return (args) => fn(args[a]);
    case 2:
      return (args) => fn(args[a], args[b]);
    case 3:
      return (args) => fn(args[a], args[b], args[c]);
    case 4:
      return (args) => fn(args[a], args[b], args[c], args[d]);
    case 5:
      return (args) => fn(args[a], args[b], args[c], args[d], args[e]);
    case 6:
      return (args) => fn(args[a], args[b], args[c], args[d], args[e], args[f]);
    case 7:
      return (args) => fn(args[a], args[b], args[c], args[d], args[e], args[f], args[g]);
    case 8:
      return (args) => fn(args[a], args[b], args[c], args[d], args[e], args[f], args[g], args[h]);
    default:
      throw new TypeError(`a call has at most 8 arguments, got ${names.length}`);
  }
}

/** One function of the addon. @throws TypeError if the addon is of another version. */
export function addonFunction(
  session: AddonSession,
  halName: string,
  callName: string,
): AddonFunction {
  const fn = (session[halName] as AddonFunctions | undefined)?.[callName];
  if (fn === undefined)
    throw new TypeError(`the addon lacks ${halName}.${callName}; build it again`);
  return fn;
}

/** Satisfies a contract with the addon's functions: named arguments become positions. */
export function fromAddon<C extends HalContract>(contract: C, session: AddonSession): HalOf<C> {
  const hal: Record<string, Shim> = {};
  for (const spec of contract.calls) {
    const fn = addonFunction(session, contract.halName, spec.name);
    hal[spec.name] = positional(
      fn,
      spec.args.map((field) => field.name),
    );
  }
  return hal as HalOf<C>;
}

/** Lets the addon's events, whose fields come by position, speak through the emitter. */
export function connectEvents<C extends HalContract>(
  contract: C,
  session: AddonSession,
  emit: Emitter<C>,
): void {
  const emitters = emit as Readonly<Record<string, (payload: Args) => void>>;
  for (const spec of contract.events) {
    const names = spec.fields.map((field) => field.name);
    const speak = emitters[spec.name];
    if (speak === undefined) throw new TypeError(`no emitter for ${contract.halName}.${spec.name}`);
    session.setListener(`${contract.halName}.${spec.name}`, (...fields: unknown[]) => {
      const payload: Record<string, unknown> = {};
      for (let index = 0; index < names.length; index++) {
        payload[names[index] as string] = fields[index];
      }
      speak(payload);
    });
  }
}
