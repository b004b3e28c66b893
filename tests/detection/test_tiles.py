import numpy as np

from alphaction.detection.base import PERSON, Detections
from alphaction.detection.tiles import TiledDetector, place_in_image, tile_windows
from alphaction.structures.clip import ClipKey


def boxes(*rows, score=0.9):
    xyxy = np.array(rows, np.float32).reshape(-1, 4)
    return Detections(xyxy, np.full(len(xyxy), score, np.float32), np.full(len(xyxy), PERSON, np.int64))


class BrightParts:
    """Finds the bright pixels of an image as one box, if there are any."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, images, keys):
        self.shapes += [image.shape[:2] for image in images]
        return [self.one(image[..., 0] > 100) for image in images]

    def one(self, bright):
        rows, columns = np.nonzero(bright)
        return boxes((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)) if len(rows) else boxes()

    def describe(self):
        return "bright"


def test_tiles_cover_the_image_and_overlap_by_a_fifth() -> None:
    windows = tile_windows(180, 90, 2)
    assert windows == [(0, 0, 100, 50), (80, 0, 180, 50), (0, 40, 100, 90), (80, 40, 180, 90)]


def test_a_box_cut_by_an_inner_edge_is_left_out_one_at_the_border_of_the_image_stays() -> None:
    found = boxes((0, 5, 20, 30), (90, 5, 100, 30), (40, 10, 60, 30))
    placed = place_in_image(found, (80, 0, 180, 50), (180, 90))
    assert placed.xyxy.tolist() == [[170, 5, 180, 30], [120, 10, 140, 30]]


def test_a_small_person_is_found_once_and_a_large_one_by_the_whole_image() -> None:
    image = np.zeros((90, 180, 3), np.uint8)
    image[42:48, 84:96] = 255  # in all four tiles
    inner = BrightParts()
    found = TiledDetector(inner, 2).detect([image], [ClipKey("a", 0)])[0]
    assert found.xyxy.tolist() == [[84, 42, 96, 48]]
    assert inner.shapes == [(90, 180), *[(50, 100)] * 4]
    image[10:80, 20:170] = 255
    assert TiledDetector(inner, 2).detect([image], [ClipKey("a", 0)])[0].xyxy.tolist() == [[20, 10, 170, 80]]
