"""Evaluate a model: python tools/test_net.py --config-file FILE [KEY VALUE ...]"""

import sys

from alphaction.engine.cli import run_tool
from alphaction.engine.flags import parse_test_flags
from alphaction.engine.run import test

if __name__ == "__main__":
    flags = parse_test_flags()
    sys.exit(run_tool(lambda: test(flags)))
