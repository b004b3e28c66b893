"""Train a model: python tools/train_net.py --config-file FILE [flags] [KEY VALUE ...]"""

import sys

from alphaction.engine.cli import run_tool
from alphaction.engine.flags import parse_train_flags
from alphaction.engine.run import train

if __name__ == "__main__":
    flags = parse_train_flags()
    sys.exit(run_tool(lambda: train(flags)))
