"""How a tool ends: a user's mistake is one message and exit code 2, an interruption the code of its signal."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import TextIO

from alphaction.engine.launch import end_group_threads, rank_from_env
from alphaction.utils.errors import LocalError, UserError

logger = logging.getLogger(__name__)

# The rule of every tool that works through videos, for its --help.
EXIT_CODES_OF_VIDEOS = (
    "Exit code 0: every video is done; 1: some were skipped or are not complete, they are counted and named\n"
    "and all others are done; 2: a mistake in what was given, or no video can be used."
)


class Interrupted(Exception):
    """The run was asked to stop and has saved what it had."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number


def run_tool(work: Callable[[], None]) -> int:
    """Returns the exit code of a tool that does ``work``; of several processes rank 0 speaks for all."""
    try:
        work()
        sys.stdout.flush()
    except UserError as error:
        if rank_from_env() == 0 or isinstance(error, LocalError):
            _say(f"error: {error}", logging.ERROR)
        return 2
    except Interrupted as stop:
        if rank_from_env() == 0:
            _say(str(stop), logging.WARNING)
        return 128 + stop.signal_number
    except KeyboardInterrupt:
        _say("Interrupted.", logging.WARNING)
        return 130
    except BrokenPipeError:
        if _is_read(sys.stdout):
            raise
        return 128 + signal.SIGPIPE
    finally:
        end_group_threads()
    return 0


def _is_read(output: TextIO) -> bool:
    """Returns whether somebody still reads what is printed; if not, as behind `| head`, the rest goes nowhere."""
    try:
        output.write("\n")
        output.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
        return False
    return True


def _say(message: str, level: int) -> None:
    """Writes to the log when one is open (console and file), else to the console."""
    if logging.getLogger("alphaction").handlers:
        logger.log(level, "%s", message)
    else:
        sys.stderr.write(message + "\n")


def share(text: str) -> float:
    """Returns a number from 0 to 1, for a flag of a tool."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not within 0 and 1")
    return value
