"""`strand completion`."""

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from node.cli.parts.options import any_case


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(converter=any_case, help="The shell.")],
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
