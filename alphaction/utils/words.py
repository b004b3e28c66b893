"""Numbers in sentences."""


def counted(number: int, noun: str) -> str:
    """Returns the number and the noun, in the plural unless it is one: "1 video", "2 boxes"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun}{'es' if noun.endswith(('s', 'x', 'sh')) else 's'}"
