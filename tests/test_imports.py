"""Every module imports, without an accelerator and without the extras."""

import importlib
import pkgutil

import pytest

import alphaction

MODULES = [info.name for info in pkgutil.walk_packages(alphaction.__path__, "alphaction.")]


@pytest.mark.parametrize("name", MODULES)
def test_module_imports(name: str) -> None:
    importlib.import_module(name)
