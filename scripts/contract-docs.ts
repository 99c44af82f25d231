import type {
  Architecture,
  CallSpec,
  EventSpec,
  FieldSpec,
  HalContract,
  SyscallUse,
} from '../src/hal/contract/define.js';
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

function syscallTable(uses: readonly SyscallUse[]): string {
  if (uses.length === 0) return '';
  const rows = uses.map((use) => {
    const names = ARCHITECTURES.map(
      (arch) => `\`${typeof use.name === 'string' ? use.name : use.name[arch]}\``,
    );
    const constants = Object.entries(use.args ?? {}).map(
      ([position, value]) => `${position}: \`${value}\``,
    );
    return `| ${names.join(' | ')} | ${constants.join(', ').replaceAll('|', '\\|')} |`;
  });
  const header = `| ${ARCHITECTURES.join(' | ')} | Constant arguments, by position |`;
  return [
    'System calls of the native side:',
    '',
    header,
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
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
