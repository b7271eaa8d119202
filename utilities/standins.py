"""Made-up stand-ins for the four data sets, so that everything runs on a machine without internet.

They have the shapes, types, class counts and file forms of the real sets, and are hard enough for
a model to have something to learn; nothing else about them is true. All numbers come from
``RandomState``, whose streams NumPy has frozen, so every machine makes the same sets.

Read ``ensure`` first, then one section a data set: beans, houses, garments, play.
``utilities/datasets.py`` decides when they are used and says so whenever they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from utilities.files import staging_folder

VERSION = 1  # to be raised with every change to what is made
STAMP = "STAND-IN.txt"


def ensure(name: str, root: Path, anew: bool = False) -> Path:
    """Return a folder with the stand-in for one data set, made first if need be.

    Parameters
    ----------
    name : {"housing", "fashion_mnist", "dry_beans", "macbeth"}
        The data set.
    root : Path
        Where stand-ins are kept; made if missing.
    anew : bool
        Make it again even if it is there.

    Returns
    -------
    Path
        Below it the files have the relative names of the real ones.

    Raises
    ------
    OSError
        If it has to be made and ``root`` cannot be written.
    """
    folder = root / f"{name}-v{VERSION}"
    if anew or not _is_complete(folder):
        with staging_folder(root, ".making-") as staging:
            made = staging / folder.name
            made.mkdir()
            _WRITERS[name](made)
            (made / STAMP).write_text(_stamp(made), encoding="utf-8")
            _put_in_place(made, folder, anew)
    return folder


def _stamp(folder: Path) -> str:
    """Name the version and every file with its size."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != STAMP)
    sizes = [f"{path.stat().st_size} {path.relative_to(folder).as_posix()}" for path in files]
    return "\n".join([f"Made-up data, version {VERSION}: not the real set.", *sizes, ""])


def _is_complete(folder: Path) -> bool:
    try:
        return (folder / STAMP).read_text(encoding="utf-8") == _stamp(folder)
    except (OSError, UnicodeDecodeError):
        return False


def _put_in_place(made: Path, folder: Path, anew: bool) -> None:
    """Move a finished folder to its place, unless another process was quicker."""
    if folder.exists() and (anew or not _is_complete(folder)):
        os.replace(folder, made.parent / "old")
    try:
        os.replace(made, folder)
    except OSError:
        if not _is_complete(folder):
            raise


# --- beans ---------------------------------------------------------------------------------------

# Seven kinds of ellipse: rows; mean and spread of the diameter, aspect ratio and roundness;
# solidity; the share of the bounding box that is filled.
_BEANS = {
    "SEKER": (2027, (225, 14), (1.25, 0.085), (0.943, 0.031), 0.990, 0.772),
    "BARBUNYA": (1322, (298, 22), (1.55, 0.125), (0.800, 0.047), 0.983, 0.750),
    "BOMBAY": (522, (465, 32), (1.58, 0.120), (0.865, 0.027), 0.987, 0.776),
    "CALI": (1630, (309, 20), (1.73, 0.095), (0.846, 0.025), 0.985, 0.759),
    "HOROZ": (1928, (260, 19), (2.02, 0.140), (0.794, 0.033), 0.985, 0.707),
    "SIRA": (2636, (238, 13), (1.57, 0.100), (0.885, 0.025), 0.988, 0.750),
    "DERMASON": (3546, (202, 15), (1.49, 0.098), (0.908, 0.030), 0.988, 0.753),
}


def make_beans() -> pd.DataFrame:
    """Draw 13,611 beans in seven overlapping classes.

    Returns
    -------
    DataFrame of shape (13611, 17)
        Columns and class counts of the Dry Bean table.
    """
    random = np.random.RandomState(602)
    return pd.concat([_bean_class(random, name) for name in _BEANS], ignore_index=True)


def _bean_class(random: np.random.RandomState, name: str) -> pd.DataFrame:
    """Draw size and form of one kind of bean and derive what a camera would measure."""
    rows, diameter, aspect, roundness, solidity, extent = _BEANS[name]
    area = np.rint(np.pi / 4 * random.normal(*diameter, rows) ** 2)
    aspect = np.maximum(random.normal(*aspect, rows), 1.02)
    roundness = np.minimum(random.normal(*roundness, rows), 0.99)
    filled = 1 - 0.004 * random.chisquare(1, rows)  # of the ellipse with the same axes
    solidity = np.minimum(random.normal(solidity, 0.004, rows), 0.995)
    extent = np.clip(random.normal(extent, 0.04, rows), 0.56, 0.86)
    major = np.sqrt(4 / np.pi * area / filled * aspect)
    perimeter = np.sqrt(4 * np.pi * area / roundness).round(3)
    return _bean_columns(area, perimeter, major, major / aspect, solidity, extent).assign(
        Class=name
    )


def _bean_columns(
    area: np.ndarray,
    perimeter: np.ndarray,
    major: np.ndarray,
    minor: np.ndarray,
    solidity: np.ndarray,
    extent: np.ndarray,
) -> pd.DataFrame:
    """Work out the sixteen features by the formulas of the Dry Bean paper."""
    diameter = np.sqrt(4 * area / np.pi)
    convex = np.ceil(area / solidity)
    columns = {
        "Area": area.astype(int),
        "Perimeter": perimeter,
        "MajorAxisLength": major,
        "MinorAxisLength": minor,
        "AspectRation": major / minor,
        "Eccentricity": np.sqrt(1 - (minor / major) ** 2),
        "ConvexArea": convex.astype(int),
        "EquivDiameter": diameter,
        "Extent": extent,
        "Solidity": area / convex,
        "roundness": 4 * np.pi * area / perimeter**2,
        "Compactness": diameter / major,
        "ShapeFactor1": major / area,
        "ShapeFactor2": area / major**3,
        "ShapeFactor3": area / (np.pi * (major / 2) ** 2),
        "ShapeFactor4": area / (np.pi * major / 2 * minor / 2),
    }
    return pd.DataFrame(columns).round(10)


def _write_beans(folder: Path) -> None:
    make_beans().to_csv(folder / "Dry_Bean_Dataset.csv", index=False)


# --- houses --------------------------------------------------------------------------------------


def make_houses() -> np.ndarray:
    """Draw 20,640 blocks of houses whose price follows income, age, crowding and the coast.

    Returns
    -------
    ndarray of float64, shape (20640, 9)
        The raw columns that scikit-learn's loader divides: value, income, age, rooms, bedrooms,
        population, households, latitude, longitude.
    """
    random = np.random.RandomState(1997)
    rows = 20640
    income = np.clip(np.exp(random.normal(1.26, 0.46, rows)), 0.4999, 15.0001).round(4)
    age = np.clip(random.normal(28.6, 12.6, rows), 1, 52).round()
    households = np.maximum(np.exp(random.normal(6.0, 0.7, rows)), 2).round()
    rooms = (households * np.maximum(random.normal(3.6 + 0.45 * income, 0.9), 1.2)).round()
    bedrooms = (households * np.maximum(random.normal(1.06, 0.08, rows), 0.7)).round()
    people = np.maximum(random.normal(3.0, 0.6, rows), 1.0)
    latitude, longitude, inland = _places(random, rows)
    value = 0.15 + 0.42 * income + 0.009 * age - 0.22 * (people - 3) - 0.45 * inland
    value *= np.exp(random.normal(0, 0.27, rows))
    # whole hundreds of dollars with a cap, so that targets tie as the real ones do
    value = np.where(value > 5, 500001, np.clip(value * 1000, 150, 5000).round() * 100)
    population = (households * people).round()
    columns = (value, income, age, rooms, bedrooms, population, households, latitude, longitude)
    return np.asfortranarray(np.stack(columns, axis=1))


def _places(random: np.random.RandomState, rows: int) -> tuple[np.ndarray, ...]:
    """Scatter blocks round two cities; return latitude, longitude and degrees from the coast."""
    south = random.random_sample(rows) < 0.58
    latitude = np.where(south, 34.0, 37.9) + random.normal(0, 0.75, rows)
    coast = -118.6 - 1.05 * (latitude - 34.0)
    inland = random.chisquare(2, rows) * 0.4
    latitude = np.clip(latitude, 32.54, 41.95).round(2)
    longitude = np.clip(coast + inland, -124.35, -114.31).round(2)
    return latitude, longitude, np.minimum(inland, 2)


def _write_houses(folder: Path) -> None:
    import joblib

    path = folder / "scikit_learn_data" / "cal_housing_py3.pkz"
    path.parent.mkdir()
    joblib.dump(make_houses(), path, compress=6)


# --- garments ------------------------------------------------------------------------------------

# A silhouette is a field over the picture, positive inside; x runs right and y down, both from
# -1 to 1, in arrays of shape (N, 28, 28). Parameters are of shape (N, 1, 1), one an image.
Field = np.ndarray
_SIDE = 28


def make_garments() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw garments in the ten classes of Fashion-MNIST; the four kinds of top overlap.

    Returns
    -------
    train_images, train_labels, test_images, test_labels : ndarray of uint8
        Of shapes (60000, 28, 28), (60000,), (10000, 28, 28) and (10000,).
    """
    random = np.random.RandomState(1708)
    classes = [_draw_class(random, label, 7000) for label in range(len(_GARMENTS))]
    train = np.concatenate([images[:6000] for images in classes])
    test = np.concatenate([images[6000:] for images in classes])
    return (*_shuffled(random, train), *_shuffled(random, test))


def _shuffled(random: np.random.RandomState, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mix images that lie class by class, and give their labels."""
    labels = np.repeat(np.arange(10, dtype=np.uint8), len(images) // 10)
    order = random.permutation(len(images))
    return images[order], labels[order]


def _draw_class(random: np.random.RandomState, label: int, count: int) -> np.ndarray:
    batches = [_draw(random, label, 500) for _ in range(count // 500)]  # fits the cache
    return np.concatenate(batches)


def _draw(random: np.random.RandomState, label: int, count: int) -> np.ndarray:
    """Draw one class: a silhouette, moved and scaled, with cloth, a light and camera noise."""
    axis = (np.arange(_SIDE, dtype=np.float32) - 13.5) / 14
    x = (axis[None, None, :] - _normal(random, count, 0, 0.045)) / _normal(random, count, 1, 0.06)
    y = (axis[None, :, None] - _normal(random, count, 0, 0.045)) / _normal(random, count, 1, 0.05)
    x = x + 0.06 * _normal(random, count) * y  # hangs a little askew
    shape, marks = _GARMENTS[label](random, count, x, y)
    inside = np.clip(0.5 + 9 * shape, 0, 1)  # an edge about a pixel and a half wide
    cloth = _cloth(random, count, x, y) * (1 - marks)
    grain = random.randint(0, 61, size=x.shape).astype(np.float32) - 30
    return np.clip(inside * (255 * cloth + grain * inside), 0, 255).astype(np.uint8)


def _cloth(random: np.random.RandomState, count: int, x: Field, y: Field) -> Field:
    """Give the cloth a shade, soft shadows, and for every third garment stripes."""
    shade = _uniform(random, count, 0.35, 0.95)
    across = random.random_sample((count, 1, 1)) < 0.5
    phase = np.where(across, x, y) * _uniform(random, count, 8, 22) + _uniform(random, count, 0, 6)
    striped = (random.random_sample((count, 1, 1)) < 0.33) * _uniform(random, count, 0.1, 0.45)
    shadow = 0.12 * _normal(random, count) * x + 0.12 * _normal(random, count) * y
    return shade * (1 + shadow - striped * (0.5 + 0.5 * np.sin(phase)))


def _uniform(random: np.random.RandomState, count: int, low: float, high: float) -> np.ndarray:
    return random.uniform(low, high, (count, 1, 1)).astype(np.float32)


def _normal(
    random: np.random.RandomState, count: int, mean: float = 0, spread: float = 1
) -> np.ndarray:
    return random.normal(mean, spread, (count, 1, 1)).astype(np.float32)


def _box(x: Field, y: Field, half_width: Field, top: Field, bottom: Field) -> Field:
    """Make a field of a symmetric shape whose half width may vary with the height."""
    return np.minimum(half_width - np.abs(x), np.minimum(y - top, bottom - y))


def _stroke(x: Field, y: Field, start: tuple, end: tuple, radius: Field) -> Field:
    """Make a field of a thick line."""
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    length = along_x**2 + along_y**2
    t = np.clip(((x - start[0]) * along_x + (y - start[1]) * along_y) / length, 0, 1)
    return radius - np.hypot(x - start[0] - t * along_x, y - start[1] - t * along_y)


def _top(
    random: np.random.RandomState,
    count: int,
    x: Field,
    y: Field,
    sleeve: tuple[float, float],
    hem: tuple[float, float],
    front: tuple[float, float, float],
) -> tuple[Field, Field]:
    """Draw a garment with sleeves; ``front``: how often it opens, and how marked that is."""
    width = _uniform(random, count, 0.36, 0.5)
    shoulder = _uniform(random, count, -0.85, -0.72)
    body = _box(x, y, width + 0.05 * y, shoulder, _uniform(random, count, *hem))
    reach = _uniform(random, count, *sleeve)
    hand = (width + 0.1 + 0.3 * reach, shoulder + 0.15 + 1.25 * reach)
    arm = _stroke(np.abs(x), y, (width - 0.1, shoulder + 0.14), hand, 0.15 - 0.03 * reach)
    neck = np.hypot(x, (y - shoulder) * 0.9) - _uniform(random, count, 0.08, 0.24)
    opens = random.random_sample((count, 1, 1)) < front[0]
    line = opens * _uniform(random, count, *front[1:]) * (np.abs(x) < 0.05)
    return np.minimum(np.maximum(body, arm), neck), line * (y > shoulder + 0.1)


def _shirt_t(random, count, x, y):
    return _top(random, count, x, y, sleeve=(0.1, 0.5), hem=(0.6, 0.9), front=(0.04, 0.2, 0.8))


def _pullover(random, count, x, y):
    return _top(random, count, x, y, sleeve=(0.75, 1.05), hem=(0.6, 0.85), front=(0.06, 0.2, 0.8))


def _coat(random, count, x, y):
    return _top(random, count, x, y, sleeve=(0.75, 1.05), hem=(0.78, 1.0), front=(0.9, 0.4, 0.9))


def _shirt(random, count, x, y):
    return _top(random, count, x, y, sleeve=(0.3, 1.0), hem=(0.62, 0.9), front=(0.8, 0.15, 0.5))


def _trouser(random, count, x, y):
    waist = _uniform(random, count, 0.24, 0.36)
    spread = _uniform(random, count, -0.05, 0.14)
    outside = _box(x, y, waist + spread * (y + 1) / 2, -0.92, _uniform(random, count, 0.75, 0.97))
    crotch = _uniform(random, count, -0.55, -0.2)
    gap = np.minimum((y - crotch) * 0.12, 0.1) - np.abs(x)
    return np.minimum(outside, -gap), 0.0


def _dress(random, count, x, y):
    waist = _uniform(random, count, 0.15, 0.3)
    flare = _uniform(random, count, 0.05, 0.34) * np.clip(y + 0.2, 0, 2)
    body = _box(x, y, waist + flare + 0.08 * (y < -0.45), -0.92, _uniform(random, count, 0.8, 0.98))
    reach = _uniform(random, count, 0, 1) ** 3  # most have hardly any sleeve
    hand = (waist + 0.1 + 0.2 * reach, -0.72 + 0.9 * reach)
    arm = _stroke(np.abs(x), y, (waist, -0.8), hand, 0.1)
    neck = np.hypot(x, y + 0.95) - _uniform(random, count, 0.06, 0.2)
    return np.minimum(np.maximum(body, arm), neck), 0.0


def _sole(random, count, x, y):
    """Draw what all shoes stand on; returns its field and the height of its upper side."""
    top = _uniform(random, count, 0.32, 0.42)
    heel = _uniform(random, count, 0, 0.22) * (x < -0.3)
    return np.minimum(0.88 - np.abs(x), np.minimum(y - top, top + 0.16 + heel - y)), top


def _sandal(random, count, x, y):
    shape, top = _sole(random, count, x, y)
    for place in (-0.6, 0.0, 0.5):
        start = (_normal(random, count, place, 0.12), top)
        height = _uniform(random, count, 0.1, 0.75)
        end = (_normal(random, count, place, 0.25), top - height)
        shape = np.maximum(shape, _stroke(x, y, start, end, _uniform(random, count, 0.04, 0.11)))
    return shape, 0.0


def _sneaker(random, count, x, y):
    sole, top = _sole(random, count, x, y)
    ankle = _uniform(random, count, 0.3, 0.68)
    slope = np.clip((x + 0.25) * _uniform(random, count, 0.35, 0.75), 0, 0.5)
    upper = np.minimum(0.86 - np.abs(x), np.minimum(y - top + ankle - slope, top - y + 0.05))
    laces = 0.35 * (np.sin(24 * x) > 0.2) * (np.abs(x - 0.1) < 0.25)
    return np.maximum(sole, upper), laces * (random.random_sample((count, 1, 1)) < 0.6)


def _ankle_boot(random, count, x, y):
    sole, top = _sole(random, count, x, y)
    shaft = _uniform(random, count, 0.5, 1.2)
    slope = np.clip((x + 0.1) * 2.2, 0, shaft - _uniform(random, count, 0.2, 0.4))
    upper = np.minimum(0.84 - np.abs(x), np.minimum(y - top + shaft - slope, top - y + 0.05))
    return np.maximum(sole, upper), 0.0


def _bag(random, count, x, y):
    top = _uniform(random, count, -0.45, 0.1)
    width = _uniform(random, count, 0.55, 0.92) + _uniform(random, count, -0.15, 0.15) * y
    body = _box(x, y, width, top, _uniform(random, count, 0.55, 0.92))
    radius = _uniform(random, count, 0.22, 0.5)
    ring = 0.06 - np.abs(np.hypot(x, y - top) - radius)
    flap = 0.4 * (np.abs(y - top - 0.3) < 0.04) * (random.random_sample((count, 1, 1)) < 0.5)
    return np.maximum(body, np.minimum(ring, top - y + 0.1)), flap


_GARMENTS: tuple[Callable[..., tuple[Field, Field]], ...] = (
    _shirt_t,
    _trouser,
    _pullover,
    _dress,
    _coat,
    _sandal,
    _shirt,
    _sneaker,
    _bag,
    _ankle_boot,
)


def _write_garments(folder: Path) -> None:
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    for name, array in zip(names, make_garments(), strict=True):
        header = np.array([0x800 + array.ndim, *array.shape], dtype=">u4")
        (raw / f"{name}-ubyte").write_bytes(header.tobytes() + array.tobytes())


# --- play ----------------------------------------------------------------------------------------

_LENGTH = 102188  # characters after cleaning
_TITLE = "THE WINTER MILL\r\n\r\na play that no one wrote"
_FIRST_LINE = "*** START OF THE STAND-IN TEXT, WRITTEN BY A MACHINE ***"
_LAST_LINE = "*** END OF THE STAND-IN TEXT, WRITTEN BY A MACHINE ***"

_SPEAKERS = (
    "ALDRIC",
    "ROSAMUND",
    "OSWIN",
    "THE MILLER",
    "THE QUEEN",
    "FIRST REAPER",
    "SECOND REAPER",
    "A JESTER",
    "LADY ISOLDE",
    "ZACHARY",
)
_PLACES = ("a frozen river", "the mill", "a market square", "the queen’s garden", "the old bridge")
_WORD_LISTS = {  # an underscore stands for a space
    "noun": "mill river crown winter lantern orchard sorrow kingdom harvest brother daughter "
    "shadow feather morning candle honour promise quarrel journey raven meadow silence thunder "
    "fortune garden sparrow bridge stone fire heart tongue sword axe ox fox zeal judge jewel "
    "pilgrim shepherd widow chamber window oath burden summer ghost question wheel bread",
    "adjective": "bitter gentle golden hollow idle quiet weary bold proud frozen crooked honest "
    "jealous well-beloved silver broken tender wicked lazy dizzy vexed humble foolish ancient pale "
    "half-remembered merry cruel sweet heavy",
    "verb": "keep break follow carry forgive remember bury question crown banish mend measure "
    "gather join seize vex praise wake trust hide judge answer warm betray gaze_on swear_by "
    "weep_for",
    "adverb": "softly never always once again tonight together alone too_late at_last by_moonlight "
    "without_mercy before_the_frost most_gladly beyond_the_hill",
    "name": "Aldric Rosamund Oswin Isolde Zachary Jasper Quentin Maximilian",
    "cry": "Alas Good_morrow Come Peace Hark By_my_faith Nay Speak Away",
}
_WORDS = {kind: words.split() for kind, words in _WORD_LISTS.items()}
_LINES = (
    "The {adjective} {noun} doth {verb} the {noun},",
    "And every {noun} must {verb} its {adjective} {noun}.",
    "{cry}, good {name}! Wherefore dost thou {verb} my {noun}?",
    "I shall {verb} thee {adverb}, as the {noun} the {noun};",
    "What {noun} is this, that would {verb} a {adjective} {noun}?",
    "If thou wilt {verb} the {noun}, then {verb} me {adverb}:",
    "My {noun} is {adjective}, and thy {noun} more {adjective} still.",
    "{cry}! {cry}! The {noun} will {verb} us {adverb}!",
    "O {adjective} {noun}, whom the {noun} could not {verb},",
    "Let them {verb} their {noun}; we have but one {noun}.",
    "He that would {verb} the {noun} hath no {noun} to {verb}.",
    "Thus did {name} {verb} the {adjective} {noun} {adverb}—",
    "Is not the {noun} o’er? Then {verb} it {adverb}, {name}.",
    "Where {adjective} men {verb} the {noun} and the {noun},",
)


def make_play() -> str:
    """Write a play of 102,188 characters (after cleaning) from a small grammar.

    Returns
    -------
    str
        With START and END marker lines, speakers, stage directions and CRLF line ends.
    """
    from utilities.utils import clean_text

    random = np.random.RandomState(1533)
    parts = [_FIRST_LINE, _TITLE]
    left = _LENGTH - sum(len(clean_text(part)) + 1 for part in (*parts, _LAST_LINE)) + 1
    for part in _scenes(random):
        size = len(clean_text(part)) + 1  # and the space before the next part
        if left - size < 200:  # room for a closing line of any length
            break
        parts.append(part)
        left -= size
    parts += [_closing_line(random, left - 1), _LAST_LINE]
    return "\r\n\r\n".join(parts) + "\r\n"


def _scenes(random: np.random.RandomState) -> Iterator[str]:
    """Yield headings, stage directions and speeches without end."""
    scene = 0
    while True:
        act, number = divmod(scene, 6)
        if number == 0:
            yield f"ACT {'I' * (act + 1)}"
        scene += 1
        yield f"SCENE {'I' * (number + 1)}. {_PLACES[random.randint(len(_PLACES))].capitalize()}."
        cast = [_SPEAKERS[i] for i in random.choice(len(_SPEAKERS), 3, replace=False)]
        yield f" Enter {cast[0].title()}, {cast[1].title()} and {cast[2].title()}."
        speaker = 0
        for _ in range(random.randint(12, 30)):
            speaker = (speaker + random.randint(1, 3)) % 3  # never the same twice
            yield f"{cast[speaker]}.\r\n{_speech(random)}"
        yield f" [_Exeunt {('all but ' + cast[0].title()) if random.randint(2) else 'all'}._]"


def _speech(random: np.random.RandomState) -> str:
    return "\r\n".join(_line(random) for _ in range(random.randint(1, 7)))


def _line(random: np.random.RandomState) -> str:
    """Fill one pattern of verse with words."""
    pieces = _LINES[random.randint(len(_LINES))].split("{")
    line = pieces[0]
    for piece in pieces[1:]:
        kind, rest = piece.split("}")
        words = _WORDS[kind]
        # the square favours the first words, as a language favours some
        word = words[int(len(words) * random.random_sample() ** 2)]
        line += word.replace("_", " ") + rest
    return line


def _closing_line(random: np.random.RandomState, length: int) -> str:
    """Write a last stage direction of exactly ``length`` characters."""
    nouns = _WORDS["noun"]
    line = "Exeunt, bearing"
    while len(line) < length - 25:
        line += f" the {nouns[random.randint(len(nouns))]},"
    return f"{line} and s{'o' * (length - len(line) - 7)}."


def _write_play(folder: Path) -> None:
    path = folder / "macbeth" / "1533-0.txt"
    path.parent.mkdir()
    path.write_bytes(make_play().encode("utf-8-sig"))


_WRITERS: dict[str, Callable[[Path], None]] = {
    "housing": _write_houses,
    "fashion_mnist": _write_garments,
    "dry_beans": _write_beans,
    "macbeth": _write_play,
}
