"""The layers of the house, read from the import statements: edges point down, and nothing goes around them."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "alphaction"
LAYERS = {
    "utils": 0,
    "structures": 1,
    "config": 1,
    "layers": 2,
    "modeling": 3,
    "dataset": 3,
    "evaluation": 3,
    "detection": 3,
    "solver": 4,
    "checkpoint": 4,
    "finetune": 4,
    "tasks": 5,
    "engine": 6,
    "visualization": 6,
    "export": 6,
    "benchmark": 6,
}
# Narrower than "own room or lower": (room, rooms it may import besides itself).
EXACT = {
    "structures": {"utils"},
    "config": {"utils"},
    "layers": {"utils", "structures"},
    "solver": {"utils", "structures", "config"},
    "checkpoint": {"utils", "structures", "config"},
    "finetune": {"utils", "structures", "config"},
}
FILES = sorted(PACKAGE.rglob("*.py"))
IDS = [str(path.relative_to(PACKAGE)) for path in FILES]


def imported_modules(tree: ast.AST) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.startswith("alphaction.")]


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def test_every_folder_has_a_layer() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms <= set(LAYERS)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    for name in imported_modules(ast.parse(path.read_text())):
        target = name.split(".")[1]
        if target == room or target not in LAYERS:
            continue
        assert room, f"{path.name} imports {name}: the package itself imports no room"
        assert LAYERS[target] <= LAYERS[room], f"{room} imports {name}, which is above it"
        if room in EXACT:
            assert target in EXACT[room], f"{room} imports {name}"
        if LAYERS[room] in (3, 4):
            assert LAYERS[target] < LAYERS[room], f"{room} imports {name}, which is beside it"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_house_rules_hold(path: Path) -> None:
    tree = ast.parse(path.read_text())
    is_launch = path.relative_to(PACKAGE).as_posix() == "engine/launch.py"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [child for child in ast.walk(node) if isinstance(child, ast.Import | ast.ImportFrom)]
            assert not inner, f"{node.name} imports inside a function"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("self", "cfg"), "no object keeps the config"
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not is_launch:
            assert node.value not in ("cuda", "cuda:0"), "devices are chosen in engine/launch.py"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", "the package logs; tools print"


def test_rooms_import_each_other_in_one_direction() -> None:
    edges: dict[str, set[str]] = {}
    for path in FILES:
        for name in imported_modules(ast.parse(path.read_text())):
            target = name.split(".")[1]
            if room_of(path) and target in LAYERS and target != room_of(path):
                edges.setdefault(room_of(path), set()).add(target)
    for room, targets in edges.items():
        for target in targets:
            assert room not in edges.get(target, set()), f"{room} and {target} import each other"
