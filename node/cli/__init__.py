"""The command line. Each command is a module or package of its name, imported when it is called.

`--help` imports none of them. What several commands share is in `node.cli.parts`.
"""
