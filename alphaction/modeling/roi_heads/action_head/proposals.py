"""Which persons a training step looks at, and how exactly their boxes are kept."""

from dataclasses import replace

import torch

from alphaction.structures.boxes import PIXEL, Boxes


def sample_boxes(persons: Boxes, max_boxes: int, generator: torch.Generator) -> Boxes:
    """Returns ``max_boxes`` of the persons, drawn without replacement, or all when there are no more.

    Args:
        persons: of one clip.
        max_boxes: how many may be left.
        generator: of the CPU; nothing is drawn from it when all persons stay.
    """
    if len(persons) <= max_boxes:
        return persons
    drawn = torch.randperm(len(persons), generator=generator)[:max_boxes]
    return persons.select(drawn.to(persons.xyxy.device))


def jitter_boxes(boxes: Boxes, amounts: tuple[float, float, float, float], generator: torch.Generator) -> Boxes:
    """Returns the boxes with each edge moved at random, uniformly between the bounds, then clipped to the image.

    Args:
        boxes: of one clip.
        amounts: the bounds (x outwards, x inwards, y outwards, y inwards), shares of a box's width and height.
        generator: of the CPU.
    """
    if not any(amounts):
        return boxes
    x_out, x_in, y_out, y_in = amounts
    drawn = torch.rand(4, len(boxes), generator=generator).to(boxes.xyxy).T  # left, top, right, bottom
    lowest = drawn.new_tensor([-x_out, -y_out, -x_in, -y_in])
    highest = drawn.new_tensor([x_in, y_in, x_out, y_out])
    extent = boxes.to_xywh()[:, 2:].repeat(1, 2)
    moved = boxes.xyxy + (lowest + (highest - lowest) * drawn) * extent
    left_top = moved[:, :2]
    # Edges that meet or cross would turn the box inside out: it keeps one step of width.
    right_bottom = moved[:, 2:].maximum(left_top + PIXEL)
    return replace(boxes, xyxy=torch.cat([left_top, right_bottom], dim=1)).clip()
