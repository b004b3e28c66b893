"""What outputs were made from, remembered beside them: ``<root>/.made_from/<video>.json``."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alphaction.dataset.preparation.damage import Damage
from alphaction.utils.errors import DataError
from alphaction.utils.files import replaced_when_complete

FOLDER = ".made_from"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides how an output looks.

    Attributes:
        num_bytes: of the video it is made from.
        changed: when that video was changed last, in nanoseconds.
        options: (name, value) of the settings.
    """

    num_bytes: int
    changed: int
    options: tuple[tuple[str, int], ...]

    def difference(self, now: "Recipe") -> str:
        """Returns how outputs of this recipe differ from those of another one, "" if they do not."""
        parts = []
        if (self.num_bytes, self.changed) != (now.num_bytes, now.changed):
            parts.append("the video was replaced or changed")
        before = dict(self.options)
        parts += [
            f"{name} was {before.get(name)}, is {value}" for name, value in now.options if before.get(name) != value
        ]
        return " and ".join(parts)


def recipe_of(video: Path, options: Mapping[str, int]) -> Recipe:
    """Returns what the outputs of a video are made from now."""
    status = video.stat()
    return Recipe(status.st_size, status.st_mtime_ns, tuple(sorted(options.items())))


@dataclass(slots=True)
class Record:
    """What is known of the outputs of a video; those it does not know are of earlier versions, and count as they are.

    Attributes:
        path: its file.
        outputs: of each name the recipe, and the bytes it has; None while it is being made.
        damage: what the video had lost, by recipe.
    """

    path: Path
    outputs: dict[str, tuple[Recipe, int | None]] = field(default_factory=dict)
    damage: dict[Recipe, Damage] = field(default_factory=dict)

    def why_anew(self, output: Path, now: Recipe) -> str:
        """Returns why a file that is there must be made again, "" if it need not."""
        size = output.stat().st_size
        if size == 0:
            return "the file was empty (0 bytes)"
        recipe, num_bytes = self.outputs.get(output.name, (now, size))
        if difference := recipe.difference(now):
            return difference
        if num_bytes is None:  # it is whole, and what could not be decoded for it is not known
            return "the run before was stopped at this part"
        return "" if num_bytes == size else "the file was cut short or changed"

    def outdated(self, folder: Path, covered: Collection[str], now: Recipe) -> Counter[str]:
        """Returns how many other files of a folder are of a different recipe, by the difference."""
        others = [name for name in self.outputs if name not in covered and (folder / name).exists()]
        return Counter(why for name in others if (why := self.outputs[name][0].difference(now)))

    def begin(self, outputs: Iterable[Path], now: Recipe) -> None:
        """Notes those of the files that are not there yet: if the run is killed, it is known what they were made from.

        Others keep their note until they are replaced.
        """
        missing = {output.name: (now, None) for output in outputs if not output.exists()}
        if missing:
            self.outputs |= missing
            self.save()

    def finish(self, outputs: Iterable[Path], now: Recipe, damage: Damage) -> None:
        """Notes that files are complete."""
        self.outputs |= {output.name: (now, output.stat().st_size) for output in outputs}
        if damage:
            self.damage[now] = self.damage.get(now, Damage()) | damage
        self.save()

    def save(self) -> None:
        """Writes the file.

        Raises:
            DataError: it cannot be written.
        """
        recipes = list(dict.fromkeys(recipe for recipe, _ in self.outputs.values()))
        content = {
            "recipes": [_recipe_to_json(recipe, self.damage.get(recipe)) for recipe in recipes],
            "outputs": {name: [recipes.index(recipe), size] for name, (recipe, size) in self.outputs.items()},
        }
        try:
            with replaced_when_complete(self.path) as partial:
                partial.write_text(json.dumps(content), encoding="utf-8")
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"Cannot write {self.path}: {reason}. Finished files are kept.") from error


def load_record(root: Path, video: Path) -> Record:
    """Returns what is known of the outputs of a video; without a file it is empty.

    Raises:
        DataError: the file holds something else.
    """
    record = Record(root / FOLDER / f"{video.stem}.json")
    if not record.path.exists():
        return record
    try:
        content = json.loads(record.path.read_text(encoding="utf-8"))
        recipes = [_recipe_from_json(entry) for entry in content["recipes"]]
        record.outputs = {name: (recipes[place][0], size) for name, (place, size) in content["outputs"].items()}
        record.damage = {recipe: damage for recipe, damage in recipes if damage}
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            f"{record.path} cannot be read; it says what the files of {video.name} were made from. Remove it: then "
            "those that are there are kept as they are."
        ) from error
    return record


def _recipe_to_json(recipe: Recipe, damage: Damage | None) -> dict[str, Any]:
    content: dict[str, Any] = {
        "bytes": recipe.num_bytes,
        "changed": recipe.changed,
        "options": dict(recipe.options),
    }
    if damage:
        content["damage"] = {"lost": damage.lost, "faulty": damage.faulty, "notes": damage.notes}
    return content


def _recipe_from_json(content: Mapping[str, Any]) -> tuple[Recipe, Damage]:
    recipe = Recipe(content["bytes"], content["changed"], tuple(sorted(content["options"].items())))
    found = content.get("damage", {"lost": [], "faulty": [], "notes": []})
    lost = tuple((begin, end) for begin, end in found["lost"])
    return recipe, Damage(lost, tuple(found["faulty"]), tuple(found["notes"]))
