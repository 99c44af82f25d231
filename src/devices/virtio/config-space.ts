/** A field of the config space. A driver writes it with an access of exactly its width, if it may. */
export interface ConfigField {
  readonly offset: number;
  readonly size: number;
}

export interface ConfigSnapshot {
  readonly bytes: Uint8Array;
  readonly generation: number;
}

/** A device's config space, with the generation by which a driver notices that it read two states mixed. */
export class ConfigSpace {
  readonly #bytes: Uint8Array;
  readonly #driverFields: readonly ConfigField[];
  readonly #resetFields: readonly ConfigField[];
  #generation = 0;

  /** @param resetFields what a driver that starts over finds at zero. */
  constructor(
    initial: Uint8Array,
    driverFields: readonly ConfigField[],
    resetFields: readonly ConfigField[] = driverFields,
  ) {
    this.#bytes = initial.slice();
    this.#driverFields = driverFields;
    this.#resetFields = resetFields;
  }

  get generation(): number {
    return this.#generation;
  }

  /** A copy. */
  get bytes(): Uint8Array {
    return this.#bytes.slice();
  }

  /** Undefined if the access reaches outside. */
  read(offset: number, size: number): Uint8Array | undefined {
    return offset + size <= this.#bytes.length
      ? this.#bytes.slice(offset, offset + size)
      : undefined;
  }

  /** @returns false if it is not exactly a field that the driver may write; then nothing happens. */
  writeByDriver(offset: number, data: Uint8Array): boolean {
    const field = this.#driverFields.find((f) => f.offset === offset && f.size === data.length);
    if (field === undefined) return false;
    this.#bytes.set(data, offset);
    return true;
  }

  /**
   * @returns true if anything is different now.
   * @throws RangeError if the device writes outside of its own config space
   */
  writeByDevice(offset: number, data: Uint8Array): boolean {
    if (offset + data.length > this.#bytes.length) {
      throw new RangeError(`${data.length} bytes at ${offset} are outside the config space`);
    }
    if (data.every((byte, index) => this.#bytes[offset + index] === byte)) return false;
    this.#bytes.set(data, offset);
    this.#generation = (this.#generation + 1) >>> 0;
    return true;
  }

  /** A new driver finds nothing of its predecessor. */
  reset(): void {
    for (const field of this.#resetFields) {
      this.writeByDevice(field.offset, new Uint8Array(field.size));
    }
  }

  snapshot(): ConfigSnapshot {
    return { bytes: this.bytes, generation: this.#generation };
  }

  restore(snapshot: ConfigSnapshot): void {
    this.#bytes.set(snapshot.bytes);
    this.#generation = snapshot.generation;
  }
}
