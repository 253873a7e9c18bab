// The partition's life: create, set up, reset, delete; its time. Results are
// HRESULTs; a call that fails changes nothing.
import { cacheFlush } from "../code/cache";
import { lapicSetVpCount } from "../lapic/state";
import { MAX_VPS, WHV } from "../layout";
import { mapsReset } from "../memory/phys";
import { seedRandom } from "../cpu/random";
import { resetVp } from "../cpu/reset";
import { switchTo, vpsReset } from "../cpu/vps";
import {
  E_INVALIDARG,
  E_OUTOFMEMORY,
  S_OK,
  WHV_E_INVALID_PARTITION_CONFIG,
  WHV_E_INVALID_VP_STATE,
} from "./hresult";
import { listsReset } from "./lists";
import { apicProperty, countProperty, propertiesReset } from "./properties";
import { setRecheck } from "../cpu/recheck";
import { setEoi } from "../system/apic";
import { setApicMode, setVpCount, vpCount } from "../system/processors";
import { resumeTime, startTime, suspendTime } from "../system/time";
import { flushAllJumps } from "../code/jumps";
import {
  created,
  exists,
  ready,
  running,
  setCreated,
  setExists,
  setReady,
  setRunning,
} from "./state";
import { pointsReset } from "../points/set";

/** The partition's state in memory: WHV to here. */
const WHV_BYTES: usize = 0x10000;

/** A new partition with every property at its default. */
export function whvCreatePartition(): i32 {
  if (exists) return E_OUTOFMEMORY; // one partition for one module
  memory.fill(WHV, 0, WHV_BYTES);
  propertiesReset();
  listsReset();
  mapsReset();
  pointsReset();
  cacheFlush();
  setExists(true);
  setReady(false);
  setCreated(0);
  setRunning(0);
  startTime();
  seedRandom(0);
  return S_OK;
}

export function whvSetupPartition(): i32 {
  if (!exists || ready) return WHV_E_INVALID_PARTITION_CONFIG;
  const n = countProperty();
  if (n == 0 || n > MAX_VPS) return WHV_E_INVALID_PARTITION_CONFIG;
  setReady(true);
  setVpCount(n);
  lapicSetVpCount(n);
  setApicMode(apicProperty());
  vpsReset();
  setEoi(-1);
  setRecheck(true);
  flushAllJumps();
  return S_OK;
}

export function whvDeletePartition(): i32 {
  if (!exists) return E_INVALIDARG;
  if (running) return WHV_E_INVALID_VP_STATE;
  setExists(false);
  setReady(false);
  setCreated(0);
  return S_OK;
}

/** All processors back to power-up; mappings stay. */
export function whvResetPartition(): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (running) return WHV_E_INVALID_VP_STATE;
  for (let i: u32 = 0; i < vpCount; i++) {
    if (!((created >> i) & 1)) continue;
    switchTo(i);
    resetVp(i);
  }
  return S_OK;
}

export function whvSuspendTime(): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (running) return WHV_E_INVALID_VP_STATE;
  suspendTime();
  return S_OK;
}

export function whvResumeTime(): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  resumeTime();
  return S_OK;
}
