"""Measures alphaction on this machine: ``data`` (clip loading), ``eval`` (the AVA metric), ``model`` or ``memory``."""

import argparse
import sys

from alphaction.benchmark import data, evaluation, memory, model
from alphaction.engine.cli import run_tool


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in (("data", data), ("eval", evaluation), ("model", model), ("memory", memory)):
        command = commands.add_parser(name, help=module.__doc__, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    return run_tool(lambda: print(args.run(args)))


if __name__ == "__main__":
    sys.exit(main())
