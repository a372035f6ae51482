"""The dashboard's files as they are: what they import, how large they are, what they must not do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from node.cli.parts.round_pages import START, STYLES
from node.dashboard import ASSETS_PATH, SHELL, dashboard, data_map, import_map, module_name, sources
from tests.support import supply, vendor

ROOT = Path(__file__).parents[2]
OWN = [path for path in sources() if path.endswith(".js") and not path.startswith("vendor/")]
MODULES = {module_name(path) for path in sources() if path.endswith(".js")}
IMPORT = re.compile(r"""(?:^|[;}])\s*(?:import|export)\b[^"';]*?\bfrom\s*["']([^"']+)["']""", re.MULTILINE)

EXPORT = re.compile(r"^export (?:async )?(?:function\*?|const|let|class) (\w+)", re.MULTILINE)

MAY_KNOW = {
    "state/": ("strand/state/",),
    "parts/": ("strand/parts/", "strand/state/"),
    "views/": ("strand/parts/", "strand/state/", "strand/live.js"),
    "live.js": ("strand/state/",),
    "report.js": ("strand/parts/", "strand/state/"),
}

FILE_LINES_MAX = 400
STYLE_LINES_MAX = 500
LINE_CHARS_MAX = 120

own_files = pytest.mark.parametrize("path", OWN)


def test_every_import_is_of_a_module_by_name() -> None:
    imported = {path: IMPORT.findall(text) for path, text in sources().items() if path.endswith(".js")}
    assert "strand/app.js" in imported["main.js"] and "preact" in imported["vendor/preact/hooks.js"]
    unknown = {(path, name) for path, names in imported.items() for name in names if name not in MODULES}
    assert not unknown


def test_every_module_is_loaded_by_a_page_or_by_another() -> None:
    """What nothing imports is dead code."""
    imported = {name for text in sources().values() for name in IMPORT.findall(text)}
    named = {path for path in sources() if f'"{path}"' in sources()[SHELL]} | {START, *STYLES}
    unused = {path for path in sources() if path not in {SHELL, *named} and module_name(path) not in imported}
    assert not {path for path in unused if not path.startswith(("vendor/", "state/"))}


def test_every_export_is_used_by_another_module_or_tested() -> None:
    texts = {path: sources()[path] for path in OWN}
    tests = "".join(path.read_text() for path in sorted((ROOT / "tests/dashboard").glob("*.test.js")))
    exports = {(path, name) for path, text in texts.items() for name in EXPORT.findall(text)}
    assert ("state/text.js", "visible") in exports
    others = {path: tests + "".join(text for each, text in texts.items() if each != path) for path in texts}
    assert not {(path, name) for path, name in exports if not re.search(rf"\b{name}\b", others[path])}


@pytest.mark.parametrize("folder", MAY_KNOW)
def test_modules_know_only_what_the_map_says(folder: str) -> None:
    """The map is node/dashboard/README.md."""
    for path in OWN:
        if path.startswith(folder):
            own = [name for name in IMPORT.findall(sources()[path]) if name.startswith("strand/")]
            assert not [name for name in own if not name.startswith(MAY_KNOW[folder])], path


@own_files
def test_modules_are_short(path: str) -> None:
    lines = sources()[path].splitlines()
    assert len(lines) <= FILE_LINES_MAX
    assert max(map(len, lines)) <= LINE_CHARS_MAX


@pytest.mark.parametrize("path", [path for path in sources() if path.endswith(".css")])
def test_styles_are_short(path: str) -> None:
    assert len(sources()[path].splitlines()) <= STYLE_LINES_MAX


@own_files
def test_no_text_becomes_markup_or_code(path: str) -> None:
    """Texts of strangers are shown by the components; Trusted Types would stop the rest where browsers have them."""
    ways = r"\w*[iI]nnerHTML|outerHTML|insertAdjacent\w+|document\.write|\beval\b|new Function"
    assert not re.findall(ways, sources()[path])


@own_files
def test_state_knows_no_page(path: str) -> None:
    """Reducers and formats run anywhere: in a browser, in node, in a worker."""
    if path.startswith("state/"):
        assert not re.findall(r"\b(?:document|window|localStorage)\.", sources()[path])


@pytest.mark.parametrize(
    ("sign", "homes"),
    [
        (r"""["'`](?:[\w-]+ )*badge\b""", {"parts/badge.js"}),
        # The replay's choice of a speed has no label that is seen.
        (r"<select\b", {"parts/choice.js", "parts/round/playback.js"}),
        (r"\b(?:final|trusted): [{\"]", {"state/words.js"}),
        # The stream of events never ends: it has a limit of silence in place of a deadline.
        (r"\bfetch\(", {"state/api.js", "state/stream.js"}),
        (r"\bclipboard\.", {"parts/copy.js"}),
        (r"\bsetInterval\(", {"parts/clock.js", "parts/round/course.js"}),
    ],
)
def test_there_is_one_way_to_do_a_thing(sign: str, homes: set[str]) -> None:
    """Badges, choices, words, requests, copies and clocks stand in one module each, which the others use."""
    assert {path for path in OWN if re.search(sign, sources()[path])} == homes


def test_nothing_comes_from_elsewhere() -> None:
    for path, text in sources().items():
        if not path.startswith("vendor/"):
            assert not re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", text.replace("http://www.w3.org/", "")), path


def test_the_shell_names_what_is_served() -> None:
    served = dashboard()
    shell = served.shell.decode()
    named = re.findall(r'(?:src|href)="([^"]+)"', shell)
    assert len(named) >= 4
    assert all(name.removeprefix(ASSETS_PATH) in served.assets for name in named)
    (told,) = re.findall(r'<script type="importmap">(.*?)</script>', shell, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(told.encode()).digest()).decode()
    assert served.map_hash == f"sha256-{digest}"
    imports = json.loads(told)["imports"]
    assert set(imports) == MODULES
    assert all(address.removeprefix(ASSETS_PATH) in served.assets for address in imports.values())


def test_a_file_has_a_name_of_its_own() -> None:
    names = dashboard().assets
    assert len(names) == len(sources()) - 1
    assert all("/" not in name and re.search(r"\.[0-9a-f]{16}\.(js|css|svg)$", name) for name in names)


def test_an_installed_wheel_has_every_file(tmp_path: Path) -> None:
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(built) as wheel:
        packed = {name.removeprefix("node/dashboard/") for name in wheel.namelist()}
    assert {*sources(), "vendor/versions.json", "vendor/preact/LICENSE"} <= packed


def test_a_page_that_stands_alone_has_a_map_of_its_own() -> None:
    assert json.loads(import_map({"state/round.js": "data:x", "style/base.css": "data:y"})) == {
        "imports": {"strand/state/round.js": "data:x"}
    }


def test_a_map_of_data_holds_a_module_and_all_that_it_needs_and_no_more() -> None:
    imports = json.loads(data_map(START))["imports"]
    texts = {
        name: base64.b64decode(address.removeprefix("data:text/javascript;base64,")).decode()
        for name, address in imports.items()
    }
    assert texts[module_name(START)] == sources()[START]
    wanted = {name for text in texts.values() for name in IMPORT.findall(text)}
    assert wanted | {module_name(START)} == set(texts)
    # A page without a node asks nobody for anything.
    asking = re.compile(r"\b(?:fetch|EventSource|WebSocket|XMLHttpRequest|sendBeacon)\(")
    assert not {name for name, text in texts.items() if asking.search(text)}
    assert set(STYLES) <= set(sources())
    with pytest.raises(KeyError):
        data_map("unknown.js")


# -- files of others ---------------------------------------------------------------------------------------------------

packages = pytest.mark.parametrize("package", vendor.packages(), ids=lambda package: package.name)


@packages
def test_files_of_others_are_as_they_were_fetched(package: vendor.Package) -> None:
    assert re.fullmatch("[0-9a-f]{128}", package.sha512)
    for module, told in package.files.items():
        assert hashlib.sha256(vendor.path_of(module).read_bytes()).hexdigest() == told["sha256"], module
    assert supply.allowed(package.licence)
    assert len(package.licence_path.read_text()) > 500


def test_no_file_of_others_is_unknown() -> None:
    known = {vendor.path_of(module) for package in vendor.packages() for module in package.files}
    known |= {package.licence_path for package in vendor.packages()} | {vendor.VERSIONS}
    assert {path for path in vendor.VENDOR.rglob("*") if path.is_file()} == known


def test_no_registry_is_named() -> None:
    assert "://" not in vendor.VERSIONS.read_text()


def test_relative_imports_become_names() -> None:
    names = {"lib/diff/base.js": "diff/base", "lib/util/s.js": "diff/s"}
    source = "import B from './base.js';\nexport { x } from \"../util/s.js\";import 'preact';"
    found = vendor.by_name(source, "lib/diff/line.js", names)
    assert found == "import B from 'diff/base';\nexport { x } from \"diff/s\";import 'preact';"
    with pytest.raises(KeyError):
        vendor.by_name("import './other.js'", "lib/diff/line.js", names)
