import pytest

from alphaction.utils.words import counted


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (1, "video", "1 video"),
        (0, "video", "0 videos"),
        (2, "box", "2 boxes"),
        (3, "class", "3 classes"),
        (2, "epoch", "2 epochs"),
    ],
)
def test_a_noun_is_in_the_plural_unless_it_is_one(number: int, noun: str, said: str) -> None:
    assert counted(number, noun) == said
