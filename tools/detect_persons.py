"""Find persons: python tools/detect_persons.py --videos FILE-or-DIR ... --out DIR-or-FILE [--detector NAME]"""

import sys
from collections.abc import Sequence

from alphaction.engine.cli import run_tool
from alphaction.engine.person_flags import parse_person_flags
from alphaction.engine.person_run import run_detection
from alphaction.utils.logger import setup_logger


def main(argv: Sequence[str] | None = None) -> int:
    typed = parse_person_flags(argv)
    num_left = 0

    def work() -> None:
        nonlocal num_left
        setup_logger(None)
        num_left = run_detection(typed, lambda line: print(line, flush=True))

    return run_tool(work) or min(1, num_left)


if __name__ == "__main__":
    sys.exit(main())
