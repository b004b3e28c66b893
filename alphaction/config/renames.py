"""The rules that give the keys of a weight file other names: are they any?"""

import re
from collections.abc import Sequence
from typing import Any


def rename_problems(rules: Sequence[Any]) -> list[str]:
    """Returns what is wrong with pairs of a regular expression and a replacement."""
    problems = []
    for rule in rules:
        if not isinstance(rule, list | tuple) or [type(part) for part in rule] != [str, str]:
            problems.append(f"MODEL.WEIGHT_RENAME holds {rule!r}; write pairs: ['expression', 'replacement'].")
            continue
        try:
            re.sub(rule[0], rule[1], "")
        except (re.error, IndexError) as error:
            problems.append(f"MODEL.WEIGHT_RENAME holds {list(rule)}, which is no regular expression: {error}.")
    return problems
