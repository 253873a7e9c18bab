// The instructions that are translated, by the modules that register them; of two that
// have an encoding the first one holds. What no module has is carried out by the
// interpreter's handler.

import "./multiply.ts";
import "./rows.ts";
import "./sse_integer.ts";
import "./sse_float.ts";
import "./x87.ts";
import "./floating.ts";

export { instructionRows } from "./encodings.ts";
