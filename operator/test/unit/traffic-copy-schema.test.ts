import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { checkSpec } from '../../src/api/index.js';

const CRDS = path.resolve(import.meta.dirname, '../../../../crds');
const SAMPLES = path.join(CRDS, 'samples');

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly maxProperties?: number;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly 'x-kubernetes-validations'?: readonly { readonly rule: string; readonly message: string }[];
}

const crd = parse(readFileSync(path.join(CRDS, 'trafficcopy.dev_trafficcopies.yaml'), 'utf8'));
const schema: Schema = crd.spec.versions[0].schema.openAPIV3Schema;

/** Every schema within, with the path of its field. */
function* walk(at: Schema, name: string): Generator<readonly [string, Schema]> {
  yield [name, at];
  for (const [key, child] of Object.entries(at.properties ?? {})) yield* walk(child, `${name}.${key}`);
  if (at.items !== undefined) yield* walk(at.items, `${name}[]`);
  if (at.additionalProperties !== undefined) yield* walk(at.additionalProperties, `${name}{}`);
}

/** As ajv takes it: closed, so that a misspelt field is found. */
function closed(at: Schema): object {
  const { properties, items, ...rest } = at;
  return {
    ...rest,
    ...(properties === undefined ? {} : { properties: mapped(properties), additionalProperties: false }),
    ...(items === undefined ? {} : { items: closed(items) }),
  };
}

function mapped(properties: Readonly<Record<string, Schema>>): object {
  return Object.fromEntries(Object.entries(properties).map(([key, child]) => [key, closed(child)]));
}

function sample(name: string): { readonly spec: unknown; readonly kind: string } {
  return parse(readFileSync(path.join(SAMPLES, name), 'utf8'));
}

const validate = new Ajv({ strict: false, validateFormats: false, logger: false }).compile(
  closed(schema.properties!['spec']!),
);

describe('the schema of TrafficCopy', () => {
  it('every field that users write tells what it is', () => {
    const silent = [...walk(schema, '')].filter(([name, { description }]) => {
      const isPart = /[\]}]$/.test(name) || name === '.metadata';
      return !isPart && description === undefined;
    });
    assert.deepEqual(
      silent.map(([name]) => name),
      [],
    );
  });

  it('every list, map and text of spec has a bound: CEL rules must be affordable', () => {
    const open = [...walk(schema.properties!['spec']!, 'spec')].filter(([, one]) => {
      if (one.type === 'array') return one.maxItems === undefined;
      if (one.type === 'string') return one.maxLength === undefined && one.enum === undefined;
      return one.additionalProperties !== undefined && one.maxProperties === undefined;
    });
    assert.deepEqual(
      open.map(([name]) => name),
      [],
    );
  });

  it('every rule has a message that is a sentence for a person', () => {
    for (const [name, one] of walk(schema, '')) {
      for (const { rule, message } of one['x-kubernetes-validations'] ?? []) {
        assert.ok(message !== undefined && message.length > 20 && !message.includes(' '.repeat(2)), `${name}: ${rule}`);
      }
    }
  });

  it('has short name, category, status subresource and columns', () => {
    const { names, versions } = crd.spec;
    assert.deepEqual(names.shortNames, ['tcopy']);
    assert.deepEqual(Object.keys(versions[0].subresources), ['status']);
    const columns = versions[0].additionalPrinterColumns.map(({ name }: { name: string }) => name);
    assert.deepEqual(columns, ['Ready', 'Reason', 'Sources', 'Targets', 'Rate', 'Lost %', 'Age', 'Sample', 'Message']);
  });
});

describe('samples', () => {
  for (const name of readdirSync(SAMPLES)) {
    it(`${name} fits the schema, and the operator reads it`, () => {
      const { spec, kind } = sample(name);
      assert.equal(kind, 'TrafficCopy');
      assert.ok(validate(spec), JSON.stringify(validate.errors));
      const checked = checkSpec(spec);
      assert.ok(!('problems' in checked), JSON.stringify(checked));
    });
  }

  it('a misspelt field is found by this test', () => {
    assert.equal(validate({ ...(sample('minimal.yaml').spec as object), colour: 'red' }), false);
  });
});
