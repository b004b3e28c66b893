import pytest

from alphaction.utils.errors import UserError
from alphaction.utils.registry import Registry


def test_unknown_name_offers_the_nearest() -> None:
    registry: Registry[int] = Registry("backbone")
    registry.register("Slowfast-Resnet50")(1)
    with pytest.raises(UserError) as caught:
        registry.get("Slowfast-Resnet5")
    assert 'Unknown backbone "Slowfast-Resnet5"; did you mean "Slowfast-Resnet50"?' in str(caught.value)
    with pytest.raises(UserError, match="nothing known is spelt like it"):
        registry.get("xyz")


def test_a_name_is_taken_once() -> None:
    registry: Registry[int] = Registry("backbone")
    registry.register("a")(1)
    with pytest.raises(ValueError, match="registered twice"):
        registry.register("a")(2)
    assert list(registry) == ["a"] and registry.get("a") == 1
