"""`strand completion`."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, get_args

from cyclopts import Parameter, Token

Shell = Literal["bash", "zsh", "fish"]

_SHELLS: Final = get_args(Shell)


def _shell(_: Any, tokens: Sequence[Token]) -> str:
    """Return the shell that the argument names, in upper or lower case. Raises ValueError."""
    if (name := tokens[0].value.lower()) not in _SHELLS:
        raise ValueError(f"there is no completion for {tokens[0].value}: choose from {', '.join(_SHELLS)}")
    return name


def completion(
    shell: Annotated[Shell, Parameter(converter=_shell, help="The shell.")],
) -> int:
    """Print the script by which a shell completes this program's commands, options and choices.

    Write it where the shell looks: `~/.local/share/bash-completion/completions/strand` for bash,
    `~/.config/fish/completions/strand.fish` for fish, and `_strand` in a folder of `fpath` for zsh. The script calls no
    program, and is written anew after an upgrade.
    """
    # Imported late: only this command needs the whole tree of commands.
    from node.cli.main import build_app

    sys.stdout.write(build_app().generate_completion(prog_name="strand", shell=shell))
    return 0
