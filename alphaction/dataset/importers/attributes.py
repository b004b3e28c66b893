"""Which attributes of an annotation tool hold actions, and what their values say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Attributes with such a name hold the actions; without one, every attribute does.
_ACTION_NAMES = ("action", "actions", "activity", "activities")
# Attributes with such a name hold the number of the person.
PERSON_NAMES = ("person", "person_id", "track", "track_id", "id")
# A label (or category) with such a name is a person, not an action.
PERSON_LABELS = ("person", "persons", "people", "pedestrian", "human", "man", "woman", "child")
_NOTHING = ("", "__undefined__", "none", "-")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute as the tool defines it.

    Attributes:
        name: as the user sees it.
        is_checkbox: its value is yes or no, and its name the action.
        is_free_text: its value may be a list with commas.
        options: the values to choose from.
    """

    name: str
    is_checkbox: bool = False
    is_free_text: bool = False
    options: tuple[str, ...] = ()


def action_attributes(defined: Sequence[Attribute], wanted: Sequence[str]) -> tuple[Attribute, ...]:
    """Returns the attributes that hold actions.

    Args:
        defined: those of a label.
        wanted: names that the user gives; without them those called "action" and the like, else all of them but
            numbers of persons.
    """
    if wanted:
        return tuple(attribute for attribute in defined if attribute.name in wanted)
    called_action = tuple(attribute for attribute in defined if attribute.name.lower() in _ACTION_NAMES)
    others = tuple(attribute for attribute in defined if attribute.name.lower() not in PERSON_NAMES)
    return called_action or others


def defined_actions(attributes: Sequence[Attribute]) -> list[str]:
    """Returns the names of the actions that these attributes offer, in their order."""
    names: list[str] = []
    for attribute in attributes:
        names += [attribute.name] if attribute.is_checkbox else attribute.options
    return [name for name in names if name.lower() not in _NOTHING]


def chosen_actions(attributes: Sequence[Attribute], values: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the actions that a box's values of these attributes name, each once."""
    found: list[str] = []
    for attribute in attributes:
        value = values.get(attribute.name, "").strip()
        if attribute.is_checkbox:
            found += [attribute.name] if value.lower() in ("true", "1", "yes") else []
        else:
            parts = value.split(",") if attribute.is_free_text else [value]
            found += [part.strip() for part in parts if part.strip().lower() not in _NOTHING]
    return tuple(dict.fromkeys(found))
