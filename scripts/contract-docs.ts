import type { CallSpec, EventSpec, FieldSpec, HalContract } from '../src/hal/contract/define.js';
import {
  type Architecture,
  type Footprint,
  type KnownArgument,
  nameOn,
  type SyscallUse,
} from '../src/hal/contract/footprint.js';
import { summarize } from '../src/hal/contract/schema.js';
import type { ContractComments } from './contract-comments.js';

const ARCHITECTURES: readonly Architecture[] = ['x86_64', 'aarch64', 'arm'];
const GENERATED = '<!-- Made from the declaration by `npm run docs`. Change that, not this. -->';

export interface DocumentedContract {
  readonly contract: HalContract;
  readonly comments: ContractComments;
}

function titleOf(contract: HalContract): string {
  return (contract as unknown as { readonly name: string }).name;
}

function entriesOf(contract: HalContract): (CallSpec | EventSpec)[] {
  return [...contract.calls, ...contract.events].sort((a, b) => a.index - b.index);
}

/** The overview of all contracts. */
export function overviewPage(documented: readonly DocumentedContract[]): string {
  const rows = documented.map(({ contract, comments }) => {
    const { fingerprint } = summarize(contract);
    const link = `[${titleOf(contract)}](${contract.halName}.md)`;
    const counts = `${contract.calls.length} | ${contract.events.length}`;
    return `| ${link} | ${firstSentence(comments.contract)} | ${counts} | \`${fingerprint}\` |`;
  });
  return page([
    '# Contracts',
    GENERATED,
    'What Halyard asks of hardware, and what hardware tells it. A trace carries the fingerprint of each contract it was ' +
      'recorded with; one with another fingerprint is compared entry by entry, and refused with the difference where ' +
      'that matters. Entries and fields keep their numbers for ever (`lock.txt` holds them).',
    [
      '| Contract | | Calls | Events | Fingerprint |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n'),
  ]);
}

/** The reference page of one contract. */
export function contractPage({ contract, comments }: DocumentedContract): string {
  const { fingerprint } = summarize(contract);
  return page([
    `# ${titleOf(contract)}`,
    GENERATED,
    comments.contract,
    `Name in traces: \`${contract.halName}\`. Fingerprint: \`${fingerprint}\`.`,
    ...entriesOf(contract).map((spec) => entrySection(spec, comments.entries.get(spec.name) ?? '')),
  ]);
}

function entrySection(spec: CallSpec | EventSpec, comment: string): string {
  const heading = `## ${spec.name}`;
  if (spec.kind === 'event') {
    return page(
      [
        heading,
        `Event, number ${spec.index}.`,
        comment,
        table('Field', spec.fields),
        syscallTable(spec.definition.options.syscalls ?? []),
        eventNotes(spec),
      ],
      '',
    );
  }
  return page(
    [
      heading,
      `Call, number ${spec.index}.`,
      comment,
      table('Argument', spec.args),
      table('Result', spec.results),
      syscallTable(spec.definition.options.syscalls ?? []),
      callNotes(spec),
    ],
    '',
  );
}

function page(parts: readonly string[], ending = '\n'): string {
  return parts.filter((part) => part !== '').join('\n\n') + ending;
}

function table(title: string, fields: readonly FieldSpec[]): string {
  if (fields.length === 0) return '';
  const rows = fields.map(
    ({ name, codec, number, wireName }) =>
      `| \`${name}\` | ${cell(codec.name)} | ${number} \`${wireName}\` |`,
  );
  return [`| ${title} | Type | On the wire |`, '| --- | --- | --- |', ...rows].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

type AnyFootprint = Footprint<Readonly<Record<string, unknown>>>;

function syscallTable(footprint: AnyFootprint): string {
  if (footprint === 'node')
    return "System calls of the native side: Node's own, which are measured.";
  if (footprint.length === 0) return '';
  const header = `| ${ARCHITECTURES.join(' | ')} | Known arguments, by position | How often |`;
  return [
    'System calls of the native side:',
    '',
    header,
    '| --- | --- | --- | --- | --- |',
    ...footprint.flatMap((use) =>
      [use, ...use.instead].map((each) => syscallRow(each, each !== use)),
    ),
  ].join('\n');
}

const TIMES = { once: 'once', optional: 'at most once', any: 'as often as it takes' } as const;

function syscallRow(use: SyscallUse, isInstead: boolean): string {
  const names = ARCHITECTURES.map((arch) => {
    const name = nameOn(use, arch);
    return name === undefined ? '' : `\`${name}\``;
  });
  const known = Object.entries(use.args ?? {}).map(
    ([position, value]) => `${position}: ${knownText(value)}`,
  );
  const often = isInstead
    ? 'or this instead'
    : `${TIMES[use.times]}${use.each === undefined ? '' : ', for each of what the call is about'}`;
  return `| ${names.join(' | ')} | ${known.join(', ').replaceAll('|', '\\|')} | ${often} |`;
}

function knownText(value: KnownArgument<never>): string {
  return typeof value === 'function' ? 'from the call' : `\`${value}\``;
}

const EFFECTS = {
  acquire: 'an acquire load: keeps its order among acquire loads',
  read: 'a plain read: served from the bytes recorded between the same two fences',
  write: 'a plain write: the last value of each byte before the next fence counts',
  release: 'gives ranges up: their union before the next fence counts',
} as const;

function callNotes({ definition }: CallSpec): string {
  const { effect, answers, sends, opens } = definition.options;
  const lines = [
    `- Matching by effects: ${effect === undefined ? 'a fence, exact and in order' : EFFECTS[effect.kind]}.`,
  ];
  if (answers !== undefined) {
    lines.push(
      `- Answers the event \`${answers.event}\` with the same \`${answers.key}\`, once for each.`,
    );
  }
  if (sends !== undefined) lines.push(`- Sends \`${sends.data}\` over \`${sends.link}\`.`);
  if (opens !== undefined) lines.push(`- Opens the link named by \`${opens.name}\`.`);
  return lines.join('\n');
}

function eventNotes({ definition, contract, name }: EventSpec): string {
  const { key, receives } = definition.options;
  const answer = contract.calls.find((call) => call.definition.options.answers?.event === name);
  const lines: string[] = [];
  if (key !== undefined) lines.push(`- Delivered by \`${key}\`.`);
  if (answer !== undefined) lines.push(`- Wants an answer: \`${answer.name}\`.`);
  if (receives !== undefined)
    lines.push(`- Receives \`${receives.data}\` over \`${receives.link}\`.`);
  return lines.join('\n');
}

function firstSentence(text: string): string {
  return /^.*?[.](?=\s|$)/s.exec(text)?.[0] ?? text;
}
