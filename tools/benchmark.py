"""Measures alphaction on this machine.

``data`` (loading of clips), ``eval`` (the AVA metric), ``model`` (steps and inference of the released models),
``memory`` (the long-term memory at AVA's size) or ``interaction`` (the second pass of a test with a memory).
``finetune`` compares fine-tuning strategies on generated data.
"""

import argparse
import sys

from alphaction.benchmark import data, evaluation, finetuning, interaction, memory, model
from alphaction.engine.cli import run_tool


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    modules = {"data": data, "eval": evaluation, "model": model, "memory": memory, "interaction": interaction}
    modules["finetune"] = finetuning
    for name, module in modules.items():
        command = commands.add_parser(name, help=module.__doc__, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    return run_tool(lambda: print(args.run(args)))


if __name__ == "__main__":
    sys.exit(main())
