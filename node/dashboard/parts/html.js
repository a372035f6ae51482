/** Markup in template literals: htm, bound to preact. What stands in `${}` is text or a component, never markup. */

import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
