"""Check of the image transformations (item 2.1.1): what they are made of, and what they do."""

import numpy as np

from autograder.channel import Ref
from autograder.checks.compare import Mismatch, as_array, close, equal, kind_of
from autograder.checks.task import Task

IMAGES = 400
# Five and a half standard deviations of a binomial draw: a right solution fails one time in 1e7.
DEVIATIONS = 5.5
P = 0.2
CONVERSIONS = [("ToImage", {}), ("ToDtype", {"dtype": "torch.float32", "scale": True})]
TRAINING = [*CONVERSIONS, ("RandomHorizontalFlip", {"p": P}), ("RandomApply", {"p": P})]
ATTRIBUTES = ("p", "dtype", "scale", "degrees")
MODULE = "cnn_image_transformations"


def transforms(task: Task) -> None:
    """2.1.1."""
    # Unequal in every direction, so that every flip and turn shows.
    pixels = task.rng.integers(0, 256, size=(28, 28)).astype(np.uint8)
    made, values = {}, {}
    for kind in ("training", "testing"):
        case = task.case(MODULE)
        called = f"create_{kind}_transformations()"
        case.call(f"{MODULE}.create_{kind}_transformations", send=False, as_="made", label=called)
        made[kind] = case.describe("made", ATTRIBUTES, "transforms", f"reading {called}")
        case.add({"op": "image", "value": pixels, "as": "image", "send": False}, "an image")
        case.seed(int(task.rng.integers(1, 10_000)))
        label = f"{called}(image)"
        call = {"op": "call", "target": "made", "args": [Ref("image")], "kwargs": {}}
        times = IMAGES if kind == "training" else 2
        step = {"op": "repeat", "times": times, "steps": [{**call, "append_to": "images"}]}
        case.add({**step, "send": False}, label)
        values[kind] = case.get("images")
    task.run(cpu=60, wall=150, memory=1024, processes=64)

    def testing() -> None:
        called = "create_testing_transformations()"
        _judge_list(called, task[made["testing"]], CONVERSIONS)
        for image in task[values["testing"]]:
            _judge_image(f"{called}(image)", image, pixels)

    def settings() -> None:
        called = "create_training_transformations()"
        parts = _judge_list(called, task[made["training"]], TRAINING)
        inner = parts[-1]["children"]
        equal(
            f"what RandomApply holds in {called}", [p["class"] for p in inner], ["RandomRotation"]
        )
        degrees = as_array("degrees of RandomRotation", inner[0]["attributes"]["degrees"], (2,))
        close("degrees of RandomRotation", degrees, (-36, 36))
        behaviour()  # a description can be forged, so it has to be true

    def behaviour() -> None:
        _judge_frequencies(task[values["training"]], pixels)

    task.part(0.3, "test images", testing)
    task.part(0.4, "training transformations in this order, with these settings", settings)
    task.part(0.3, "what happens to training images", behaviour)


def _judge_list(called: str, made: dict, expected: list) -> list[dict]:
    """Compare a Compose with the list of transformations it should hold; return its parts."""
    if made["class"] != "Compose" or "transforms.v2" not in made["module"]:
        raise Mismatch(f"{called}: expected torchvision.transforms.v2.Compose, got {made['class']}")
    parts = made["children"]
    equal(f"the transformations of {called}", [p["class"] for p in parts], [n for n, _ in expected])
    for part, (name, wanted) in zip(parts, expected, strict=True):
        if "transforms.v2" not in part["module"]:
            raise Mismatch(f"{called}: {name} must come from torchvision.transforms.v2")
        for key, value in wanted.items():
            equal(f"{key} of {name} in {called}", part["attributes"][key], value)
    return parts


def _as_image(called: str, image: object) -> np.ndarray:
    if not isinstance(image, np.ndarray) or image.dtype != np.float32:
        got = image.dtype if isinstance(image, np.ndarray) else kind_of(image)
        raise Mismatch(f"{called}: expected a float32 tensor, got {got}")
    if image.shape != (1, 28, 28):
        raise Mismatch(f"{called}: expected shape (1, 28, 28), got {image.shape}")
    return image[0]


def _judge_image(called: str, image: object, pixels: np.ndarray) -> None:
    hint = "ToImage, then ToDtype(torch.float32, scale=True), which divides by 255"
    close(called, _as_image(called, image), pixels / 255, hint, rtol=1e-6, atol=1e-6)  # float32


def _judge_frequencies(images: list, pixels: np.ndarray) -> None:
    """Count how many images are mirrored and how many turned."""
    called = f"create_training_transformations() applied to {IMAGES} images"
    plain = pixels / 255
    flipped = turned = 0
    for image in images:
        values = _as_image(called, image)
        if not (values.min() >= 0 and values.max() <= 1):
            raise Mismatch(f"{called}: expected values from 0 to 1")
        if np.allclose(values, plain[:, ::-1], atol=1e-6):
            flipped += 1
        elif not np.allclose(values, plain, atol=1e-6):
            turned += 1
    _judge_count(f"{called}: turned", turned, len(images))
    _judge_count(f"{called}: mirrored among those not turned", flipped, len(images) - turned)


def _judge_count(called: str, count: int, total: int) -> None:
    mean, deviation = P * total, np.sqrt(P * (1 - P) * max(total, 1))
    if abs(count - mean) > DEVIATIONS * deviation:
        text = f"expected about {mean:.0f} with probability {P}, got {count} of {total}"
        raise Mismatch(f"{called}: {text}")
