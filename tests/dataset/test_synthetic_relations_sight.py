"""Nobody sees in the generated relations, from its own box, what the relation is: neither by chance nor by sight."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torch import nn

from alphaction.config import load_cfg
from alphaction.dataset.decode import decode_at_times
from alphaction.dataset.synthetic_files import encode_movie
from alphaction.dataset.synthetic_motion import Segment
from alphaction.dataset.synthetic_relations import (
    APPROACHED,
    BEHIND_SAME,
    RECALL_SECONDS,
    SIGHT_PIXELS,
    SIZE,
    WALK,
    WEAR,
    Actor,
    Director,
    classes_of,
    key_seconds,
)
from alphaction.dataset.synthetic_scene import Scene
from alphaction.modeling import build_detector
from alphaction.structures.boxes import Boxes

CONFIG = Path(__file__).parents[2] / "config_files" / "relations_baseline.yaml"
WINDOW = [(index - 16) / 25 for index in range(32)]  # seconds of the frames from the key frame
# The largest share of its width by which a box grows on one side: the jitter of training. Detected boxes are at most
# 0.06 off and grow by 0.05.
GROWTH = 0.2
# Soft edges of what is drawn, and colours that two pixels of a movie share.
EDGE_PIXELS = 3


@dataclass
class Seen:
    """A person at a key frame."""

    actors: list[Actor]
    person: int
    key_frame: int
    names: list[str]

    @property
    def actor(self) -> Actor:
        return self.actors[self.person]

    @property
    def segment(self) -> Segment:
        return self.actor.track.segments[self.key_frame]

    @property
    def side(self) -> str:
        return "left" if self.actor.place(self.key_frame) < SIZE[0] / SIZE[1] / 2 else "right"

    @property
    def leader(self) -> Actor | None:
        """Who leads, if somebody is followed in this movie and it is this person who follows."""
        leaders = [actor for actor in self.actors[1:] if actor.is_present(self.key_frame)]
        return leaders[0] if len(self.actors) == 3 and self.person == 0 else None


def scene_of(actors: Sequence[Actor]) -> Scene:
    looks = [actor.look for actor in actors]
    return Scene([actor.track for actor in actors], size=SIZE, rng=np.random.default_rng(9), looks=looks)


def people_of(num_movies: int, seconds: int, seed: int = 0) -> list[Seen]:
    director, people = Director(np.random.default_rng(seed)), []
    for _ in range(num_movies):
        actors = director.make_movie(key_seconds(seconds))
        for number in range(len(key_seconds(seconds))):
            present = [i for i, actor in enumerate(actors) if actor.is_present(number)]
            people += [Seen(actors, person, number, classes_of(actors, person, number)) for person in present]
    return people


@pytest.fixture(scope="module")
def many() -> list[Seen]:
    return people_of(num_movies=160, seconds=30)


def test_people_walk_or_stand_and_wear_what_their_labels_say() -> None:
    for seen in people_of(num_movies=6, seconds=15):
        first, last = (seen.actor.track.pose_at(seen.segment.key_second + offset).place for offset in WINDOW[::31])
        expected = "stand" if first == last else "walk right" if last > first else "walk left"
        worn = [name for colour, name in WEAR.items() if seen.actor.colour == colour]
        assert [name for name in seen.names if name not in (APPROACHED, BEHIND_SAME)] == [expected, *worn]
        red, _, blue = seen.actor.look.shirt
        assert {"red": red > 2 * blue, "blue": blue > 2 * red}.get(seen.actor.colour, True)


def test_nothing_of_one_standing_there_says_whether_it_is_approached(many: list[Seen]) -> None:
    standing = [seen for seen in many if "stand" in seen.names]
    for side in ("left", "right"):
        assert share_of(APPROACHED, [seen for seen in standing if seen.side == side]) == 0.4
    for colour in ("red", "blue", "other"):
        alike = [seen for seen in standing if seen.actor.colour == colour]
        assert share_of(APPROACHED, alike) == pytest.approx(0.4, abs=0.06), (colour, len(alike))
    assert poses_agree(standing, APPROACHED)


def test_nothing_of_one_who_follows_or_of_its_leader_says_whether_the_same_one_led_before(many: list[Seen]) -> None:
    following = [seen for seen in many if seen.leader and seen.segment.key_second > RECALL_SECONDS]
    assert len(following) == 80 * 10
    for side in ("left", "right"):
        assert share_of(BEHIND_SAME, [seen for seen in following if seen.side == side]) == pytest.approx(0.5, abs=0.03)
    for colour in ("red", "blue"):
        led = [seen for seen in following if seen.leader and seen.leader.colour == colour]
        assert share_of(BEHIND_SAME, led) == pytest.approx(0.5, abs=0.05)
    assert poses_agree(following, BEHIND_SAME)


def share_of(name: str, people: Sequence[Seen]) -> float:
    return sum(name in seen.names for seen in people) / len(people)


def poses_agree(people: Sequence[Seen], name: str) -> bool:
    """Returns whether place, height and arm are distributed alike with and without the action, on each side."""
    for side in ("left", "right"):
        middles = {
            has: np.array(
                [astuple(seen.segment.middle) for seen in people if seen.side == side and (name in seen.names) == has]
            )
            for has in (True, False)
        }
        if min(ks_2samp(middles[True][:, axis], middles[False][:, axis]).pvalue for axis in range(3)) < 0.01:
            return False
    return True


def test_nobody_is_within_sight_of_another_in_any_frame_of_a_clip() -> None:
    for seen in people_of(num_movies=12, seconds=15):
        scene, second = scene_of(seen.actors), seen.segment.key_second
        left, _, right, _ = scene.boxes_at(second)[seen.person] * np.tile(SIZE, 2)
        reach = GROWTH * (right - left) + SIGHT_PIXELS + EDGE_PIXELS
        for offset in WINDOW:
            others = np.delete(scene.boxes_at(second + offset), seen.person, axis=0) * np.tile(SIZE, 2)
            drawn = others[others[:, 2] > others[:, 0]]  # the frame cuts who is not there down to nothing
            assert len(drawn) == 1
            assert max(drawn[0, 0] - right, left - drawn[0, 2]) > reach


def test_sight_is_half_the_receptive_field_and_what_pooling_adds() -> None:
    field, stride, centre = 1, 1, 0
    for kernel, step, dilation, padding in spatial_layers(build_detector(load_cfg(CONFIG, [])).backbone.slow):
        centre += stride * (dilation * (kernel - 1) // 2 - padding)
        field += stride * dilation * (kernel - 1)
        stride *= step
    assert (field, stride, centre) == (107, 16, 2)
    assert field // 2 + stride + centre == SIGHT_PIXELS


def spatial_layers(pathway: nn.Module) -> list[tuple[int, int, int, int]]:
    """Returns kernel, stride, dilation and padding of each layer that looks sideways; the pooling follows the stem."""
    convs = [module for module in pathway.modules() if isinstance(module, nn.Conv3d) and module.kernel_size[2] > 1]
    layers = [(conv.kernel_size[2], conv.stride[2], conv.dilation[2], int(conv.padding[2])) for conv in convs]
    return [layers[0], (3, 2, 1, 0), *layers[1:]]


@pytest.mark.parametrize("left", [21, 64, 90, 138])
def test_a_network_without_interaction_does_not_see_further(left: int) -> None:
    torch.manual_seed(0)
    model = build_detector(load_cfg(CONFIG, [])).eval()
    for parameter in model.parameters():
        if parameter.dim() == 1:
            nn.init.uniform_(parameter, 0.5, 1.5)  # a fresh block is only its shortcut, which sees less
    box = Boxes(torch.tensor([[left, 20.0, left + 26.0, 60.0]]), SIZE)
    grown = box.extend(model.roi_heads.action.extend_scale).xyxy[0]
    clip, columns = torch.randn(1, 3, 16, SIZE[1], SIZE[0]), torch.arange(SIZE[0])
    outside = (grown[0] - columns).maximum(columns - grown[2])

    def logits_of(sight: float) -> torch.Tensor:
        seen = torch.where(outside > sight, 0.0, clip)
        with torch.inference_mode():
            return model(seen[:, :, ::4], seen, [box])

    whole = logits_of(SIZE[0])
    torch.testing.assert_close(logits_of(SIGHT_PIXELS), whole)
    assert (logits_of(SIGHT_PIXELS - 25) - whole).abs().max() > 1e-3


def test_movies_show_the_same_around_a_person_whatever_the_other_one_does(tmp_path: Path) -> None:
    director = Director(np.random.default_rng(2))
    near, far = next(actors for actors in iter(lambda: director.make_movie([1]), None) if len(actors) == 2)
    segment = far.track.segments[0]
    otherwise = replace(segment, actions=(WALK[-1 if far.way(0) > 0 else 1],))
    changed = replace(far, track=replace(far.track, segments=(otherwise,)))
    shown = []
    for number, actors in enumerate(([near, far], [near, changed])):
        path = tmp_path / f"{number}.mp4"
        encode_movie(path, scene_of(actors), seconds=2, fps=25, size=SIZE, lossless=True)
        times = [1 + Fraction(index - 16, 25) for index in range(32)]
        shown.append(np.stack(decode_at_times(path, times, Fraction(0)).frames))
    left, _, right, _ = scene_of([near, far]).boxes_at(1)[0] * np.tile(SIZE, 2)
    grown = GROWTH * (right - left) + SIGHT_PIXELS
    seen = slice(max(0, int(left - grown)), int(right + grown) + 1)
    assert np.abs(shown[0].astype(int) - shown[1]).max() > 50
    np.testing.assert_array_equal(shown[0][:, :, seen], shown[1][:, :, seen])
