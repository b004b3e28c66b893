"""Find persons: python tools/detect_persons.py --videos FILE-or-DIR ... --out DIR-or-FILE [--detector NAME]"""

import sys

from alphaction.engine.cli import run_tool
from alphaction.engine.person_flags import parse_person_flags
from alphaction.engine.person_run import run_detection
from alphaction.utils.logger import setup_logger

if __name__ == "__main__":
    parsed = parse_person_flags()

    def work() -> None:
        setup_logger(None)
        for line in run_detection(parsed):
            print(line, flush=True)

    sys.exit(run_tool(work))
