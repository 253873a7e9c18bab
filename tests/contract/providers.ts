// The platform that the contract is tested on: `soft`, or the one that
// ICEBP_TEST_PLATFORM names.

import type { WinHvPlatform } from "../../ffi/mod.ts";
import { openNative } from "../../src/platform/mod.ts";
import { openSoft } from "../../src/soft/mod.ts";
import { testPlatform } from "../util/platform.ts";

/** Bytes of guest memory that a test gets. */
export const MEMORY_BYTES = 8 << 20;

/** A platform with memory that it can map. */
export interface Opened {
  readonly platform: WinHvPlatform;
  /** Page aligned, zero. */
  readonly memory: Uint8Array;
  /** To be called after a test wrote memory that may hold code. */
  wrote(offset: number, bytes: number): void;
}

/** How to open a platform. */
export interface Provider {
  readonly name: string;
  open(): Promise<Opened>;
}

const soft: Provider = {
  name: "soft",
  async open() {
    const platform = await openSoft({ memoryBytes: MEMORY_BYTES });
    return {
      platform,
      memory: platform.guestMemory,
      wrote: (offset, bytes) => platform.hostWrote(offset, bytes),
    };
  },
};

function native(name: string): Provider {
  return {
    name,
    open() {
      const { buffer } = new WebAssembly.Memory({
        initial: MEMORY_BYTES >> 16,
        maximum: MEMORY_BYTES >> 16,
      });
      return Promise.resolve({
        platform: openNative(name),
        memory: new Uint8Array(buffer),
        // The processor's caches are coherent.
        wrote: () => {},
      });
    },
  };
}

/** A provider by what --platform calls it. */
export function providerOf(name: string): Provider {
  return name === soft.name ? soft : native(name);
}

/** The provider to test. */
export function testProvider(): Provider {
  return providerOf(testPlatform());
}
