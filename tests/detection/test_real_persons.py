"""The default detector with its real weights, on real pictures; skipped where they cannot be had."""

import json

import cv2
import numpy as np
import pytest
import torch

from alphaction.detection.build import build_detector
from alphaction.detection.evaluation import FrameBoxes, evaluate_boxes
from alphaction.detection.fetch import fetch_ssdlite
from alphaction.structures.clip import ClipKey
from alphaction.utils.errors import UserError


@pytest.fixture(scope="module")
def weights():
    try:
        return fetch_ssdlite()
    except UserError as error:
        pytest.skip(f"the weights cannot be fetched: {str(error).splitlines()[0]}")


def detect(weights, images, tiles=1):
    detector = build_detector("ssdlite", weights=weights, tiles=tiles, min_score=0.05, device=torch.device("cpu"))
    return detector.detect(images, [ClipKey("a", place) for place in range(len(images))])


def frames(found):
    return {ClipKey("a", place): FrameBoxes(boxes.xyxy, boxes.scores) for place, boxes in enumerate(found)}


def persons(rows):
    boxes = np.array(rows, np.float64).reshape(-1, 4)
    return FrameBoxes(np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1), np.ones(len(boxes)))


@pytest.mark.parametrize(("tiles", "every", "recall", "precision"), [(1, 50, 0.6, 0.6), (2, 100, 0.7, 0.7)])
def test_walkers_seen_from_above_are_found(weights, real_data, tiles, every, recall, precision) -> None:
    lines = (real_data / "pets/mot_gt.txt").read_text().splitlines()
    rows = [[float(cell) for cell in line.split(",")] for line in lines]
    video = cv2.VideoCapture(str(real_data / "pets/vtest.avi"))
    images, truth = [], {}
    for frame in range(1, 796):
        _, image = video.read()
        if frame % every == 1:
            truth[ClipKey("a", len(images))] = persons([row[2:6] for row in rows if row[0] == frame and row[6]])
            images.append(np.ascontiguousarray(image[:, :, ::-1]))
    scores = evaluate_boxes(truth, frames(detect(weights, images, tiles)), 0.3)
    assert scores.recall >= recall and scores.precision >= precision


def test_people_in_photographs_are_found(weights, real_data) -> None:
    content = json.loads((real_data / "coco/test_coco.json").read_text())
    images, truth = [], {}
    for entry in content["images"]:
        image = cv2.imread(str(real_data / "coco" / entry["file_name"]))
        truth[ClipKey("a", len(images))] = persons(
            [each["bbox"] for each in content["annotations"] if each["image_id"] == entry["id"]]
        )
        images.append(np.ascontiguousarray(image[:, :, ::-1]))
    scores = evaluate_boxes(truth, frames(detect(weights, images)), 0.3)
    assert scores.recall >= 0.5 and scores.precision >= 0.9
