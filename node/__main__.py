"""`strand`, and `python -P -m node`."""

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from node.cli.parts.streams import open_streams

    open_streams()
    from node.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
