import test from 'ava';
import fc from 'fast-check';
import {
  type DeviceTreeNode,
  type DeviceTreeValue,
  flattenDeviceTree,
  wide,
} from '../../src/machine/device-tree.js';
import { dtc, dtcTest } from './dtc.js';
import { type ReadNode, readDeviceTree } from './read-device-tree.js';

const letters = fc.constantFrom(...'abcxyzABC019,._+-');
const nodeName = fc.string({ unit: letters, minLength: 1, maxLength: 31 });
const propertyName = fc.string({ unit: letters, minLength: 1, maxLength: 31 });
const plainText = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', ''));
const value: fc.Arbitrary<DeviceTreeValue> = fc.oneof(
  fc.constant<true>(true),
  plainText,
  fc.array(plainText, { minLength: 1, maxLength: 4 }),
  fc.array(fc.nat(0xffffffff), { maxLength: 6 }),
  fc.uint8Array({ maxLength: 9 }),
);

function treeOf(depth: number): fc.Arbitrary<DeviceTreeNode> {
  const byName = { selector: ({ name }: DeviceTreeNode) => name, maxLength: 3 };
  return fc.record({
    name: nodeName,
    properties: fc
      .uniqueArray(fc.tuple(propertyName, value), { selector: ([name]) => name, maxLength: 5 })
      .map((entries) => Object.fromEntries(entries)),
    children: depth === 0 ? fc.constant([]) : fc.uniqueArray(treeOf(depth - 1), byName),
  });
}
const root = treeOf(3).map((node) => ({ ...node, name: '' }));

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What a value's bytes are, said in another way than the writer does. */
function bytesOf(given: DeviceTreeValue): Uint8Array {
  if (given === true) return new Uint8Array(0);
  if (typeof given === 'string') return new Uint8Array(Buffer.from(`${given}\0`));
  if (given instanceof Uint8Array) return new Uint8Array(given);
  const parts = given.map((item) => {
    if (typeof item === 'string') return Buffer.from(`${item}\0`);
    const cell = Buffer.alloc(4);
    cell.writeUInt32BE(item);
    return cell;
  });
  return new Uint8Array(Buffer.concat(parts));
}

function asRead({ name, properties, children = [] }: DeviceTreeNode): ReadNode {
  const entries = Object.entries(properties).map(([key, given]) => [key, bytesOf(given)]);
  return { name, properties: Object.fromEntries(entries), children: children.map(asRead) };
}

test('any tree is read back as it was', (t) => {
  fc.assert(
    fc.property(root, (given) => {
      t.deepEqual(readDeviceTree(flattenDeviceTree(given)), asRead(given));
    }),
  );
});

dtcTest('dtc takes a tree with every kind of value, and gives it back', (t) => {
  const bytes = flattenDeviceTree({
    name: '',
    properties: { '#address-cells': [2], '#size-cells': [1], compatible: ['a,b', 'c'], model: 'm' },
    children: [
      { name: 'bus', properties: { flag: true, odd: Uint8Array.of(1, 2, 3), none: [] } },
      {
        name: 'cpus',
        properties: {},
        children: [{ name: 'deep', properties: { x: wide(2 ** 40 + 5) } }],
      },
    ],
  });
  const source = dtc('dtb', 'dts', bytes);
  t.regex(text(source), /compatible = "a,b\\0c";/);
  t.regex(text(source), /x = <0x100 0x05>;/);
  t.deepEqual(readDeviceTree(dtc('dts', 'dtb', source)), readDeviceTree(bytes));
});

test('names and values that no tree can hold are refused', (t) => {
  const flatten = (node: Partial<DeviceTreeNode>, child?: DeviceTreeNode) =>
    flattenDeviceTree({
      name: '',
      properties: {},
      ...(child === undefined ? {} : { children: [child] }),
      ...node,
    });
  t.notThrows(() => flatten({}));
  const refused = (make: () => void) => t.throws(make, { instanceOf: RangeError });
  refused(() => flatten({ name: 'root' }));
  for (const name of ['', 'a b', 'a/b', 'x'.repeat(32), 'a@', 'a@b@c']) {
    refused(() => flatten({}, { name, properties: {} }));
  }
  for (const key of ['', 'a b', 'x'.repeat(32), 'a@b']) {
    refused(() => flatten({ properties: { [key]: true } }));
  }
  for (const cell of [-1, 2 ** 32, 1.5, Number.NaN]) {
    refused(() => flatten({ properties: { cell: [cell] } }));
  }
  refused(() => flatten({ properties: { text: 'a\0b' } }));
});

test('a wide number is two cells', (t) => {
  t.deepEqual(wide(0x1_2345_6789), [1, 0x23456789]);
  t.deepEqual(wide(0xffffffff), [0, 0xffffffff]);
});
