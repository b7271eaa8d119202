"""The made-up data: same form as the real sets, the same on every run, and worth learning from."""

import hashlib
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, clean_environment, stream_position

from utilities import datasets, standins
from utilities.files import A_DAY
from utilities.utils import clean_text

SMALL = ("housing", "dry_beans", "macbeth")  # made in well under a second


@pytest.fixture(scope="module")
def garments():
    return standins.make_garments()


@pytest.fixture(scope="module")
def beans():
    return standins.make_beans()


@pytest.fixture(scope="module")
def houses():
    return standins.make_houses()


@pytest.fixture(scope="module")
def play():
    return standins.make_play()


# --- the same form as the real sets --------------------------------------------------------------


def test_beans_have_the_columns_types_and_counts_of_the_real_table(beans):
    assert beans.columns.tolist() == list(datasets.BEAN_COLUMNS)
    assert beans["Class"].value_counts().to_dict() == datasets.BEAN_COUNTS
    whole = [name for name in beans.columns if beans[name].dtype == np.int64]
    assert whole == ["Area", "ConvexArea"]
    assert np.isfinite(beans[list(datasets.BEAN_FEATURES)].to_numpy(float)).all()


def test_bean_measures_obey_their_formulas(beans):
    major, minor, area = beans["MajorAxisLength"], beans["MinorAxisLength"], beans["Area"]
    exact = {"rtol": 1e-6}  # columns are rounded to ten decimals, the smallest value is 6e-4
    np.testing.assert_allclose(beans["AspectRation"], major / minor, **exact)
    np.testing.assert_allclose(beans["Eccentricity"], np.sqrt(1 - (minor / major) ** 2), **exact)
    np.testing.assert_allclose(beans["EquivDiameter"], np.sqrt(4 * area / np.pi), **exact)
    np.testing.assert_allclose(beans["Compactness"] ** 2, beans["ShapeFactor3"], **exact)
    np.testing.assert_allclose(beans["ShapeFactor1"], major / area, **exact)
    np.testing.assert_allclose(beans["ShapeFactor2"], area / major**3, **exact)
    np.testing.assert_allclose(beans["Solidity"], area / beans["ConvexArea"], **exact)
    assert (beans["ConvexArea"] >= area).all()
    assert beans["roundness"].between(0.5, 1).all()
    assert beans["ShapeFactor4"].between(0.9, 1).all()


def test_real_beans_obey_the_same_formulas():
    path = datasets.data_home() / "Dry_Bean_Dataset.csv"
    if not path.exists():
        pytest.skip("no real beans below HW4_DATA_HOME")
    real = pd.read_csv(path)
    made = standins._bean_columns(
        *(
            real[name].to_numpy()
            for name in ("Area", "Perimeter", "MajorAxisLength", "MinorAxisLength")
        ),
        real["Solidity"].to_numpy(),
        real["Extent"].to_numpy(),
    )
    for name in ("EquivDiameter", "roundness", "Compactness", "ShapeFactor2", "ShapeFactor4"):
        np.testing.assert_allclose(made[name], real[name], rtol=1e-6, err_msg=name)


def test_houses_have_the_raw_columns_that_scikit_learn_divides(houses):
    assert houses.shape == (20640, 9)
    assert houses.dtype == np.float64
    assert np.isfinite(houses).all()
    assert (houses[:, 1:7] > 0).all()
    for whole in (2, 3, 4, 5, 6):
        np.testing.assert_array_equal(houses[:, whole], houses[:, whole].round())


def test_house_prices_are_capped_and_tie_as_the_real_ones_do(houses):
    target = houses[:, 0] / 100000
    assert target.max() == 5.00001
    assert 100 < np.sum(target == 5.00001) < 2000
    assert target.min() >= 0.14999
    first = np.random.RandomState(3).permutation(len(target))[:500]
    assert len(np.unique(target[first])) < 490


def test_garments_have_the_shapes_types_and_counts_of_fashion_mnist(garments):
    for images, labels, count in ((*garments[:2], 60000), (*garments[2:], 10000)):
        assert images.shape == (count, 28, 28)
        assert labels.shape == (count,)
        assert images.dtype == labels.dtype == np.uint8
        assert np.bincount(labels).tolist() == [count // 10] * 10


def test_garments_lie_on_black_and_use_the_whole_scale(garments):
    images = garments[0]
    assert images.min() == 0
    assert images.max() == 255
    assert 0.3 < np.mean(images == 0) < 0.8
    assert (images.reshape(len(images), -1).max(axis=1) > 50).all()


def test_no_garment_is_drawn_twice(garments):
    both = np.concatenate([garments[0], garments[2]]).reshape(70000, -1)
    assert len({row.tobytes() for row in both}) == 70000


def test_the_play_has_the_length_and_symbols_of_macbeth(play):
    text = clean_text(play)
    assert len(text) == 102188
    assert "".join(sorted(set(text))) == " !,-.:;?abcdefghijklmnopqrstuvwxyz"


def test_the_play_stands_between_markers_with_crlf_and_does_not_claim_to_be_macbeth(play):
    lines = play.split("\r\n")
    assert lines[0].startswith("*** START OF THE STAND-IN")
    assert lines[-2].startswith("*** END OF THE STAND-IN")
    assert "\n" not in play.replace("\r\n", "")
    assert "macbeth" not in play.lower()
    assert "gutenberg" not in play.lower()


# --- deterministic -------------------------------------------------------------------------------


def test_the_same_data_is_made_again(beans, houses, play):
    pd.testing.assert_frame_equal(beans, standins.make_beans())
    np.testing.assert_array_equal(houses, standins.make_houses())
    assert play == standins.make_play()


@pytest.mark.parametrize("label", range(10))
def test_the_same_garments_are_drawn_again(label):
    first, second = (standins._draw(np.random.RandomState(5), label, 20) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_making_data_leaves_numpys_global_stream_alone():
    before = stream_position()
    standins.make_beans()
    standins.make_houses()
    standins.make_play()
    standins._draw(np.random.RandomState(0), 0, 5)
    assert stream_position() == before


# --- worth learning from -------------------------------------------------------------------------


def test_a_forest_finds_the_bean_classes_but_not_all_beans(beans):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import train_test_split

    features, classes = beans.drop(columns="Class").to_numpy(), beans["Class"].to_numpy()
    parts = train_test_split(features, classes, test_size=0.33, random_state=42)
    forest = RandomForestClassifier(15, max_depth=10, random_state=0).fit(parts[0], parts[2])
    # 0.90 for a large forest; the standard error on 4,492 rows is below 0.005
    assert 0.87 < forest.score(parts[1], parts[3]) < 0.92


def test_a_line_explains_half_of_the_house_prices(houses):
    from sklearn.linear_model import LinearRegression

    score = LinearRegression().fit(houses[:, 1:], houses[:, 0]).score(houses[:, 1:], houses[:, 0])
    assert 0.4 < score < 0.8


def test_tops_are_confused_and_other_garments_hardly(garments):
    from sklearn.ensemble import RandomForestClassifier

    images, labels, test_images, test_labels = (part[:5000] for part in garments)
    forest = RandomForestClassifier(40, random_state=0, max_features=28)
    forest.fit(images.reshape(5000, -1), labels)
    right = forest.predict(test_images.reshape(5000, -1)) == test_labels
    tops = np.isin(test_labels, [0, 2, 4, 6])
    assert 0.45 < right[tops].mean() < 0.85
    assert right[~tops].mean() > 0.9


def test_the_play_has_structure_beyond_single_letters(play):
    text = clean_text(play)
    following: dict[str, dict[str, int]] = {}
    for i in range(len(text) - 4):
        counts = following.setdefault(text[i : i + 4], {})
        counts[text[i + 4]] = counts.get(text[i + 4], 0) + 1
    best = sum(max(counts.values()) for counts in following.values()) / (len(text) - 4)
    assert 0.5 < best < 0.95
    assert len(set(text.split())) > 200


# --- on disk -------------------------------------------------------------------------------------


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", SMALL)
def test_files_have_the_relative_names_of_the_real_ones_but_another_place(tmp_path, name):
    folder = standins.ensure(name, tmp_path / "standins")
    assert set(tree(folder)) == {*datasets.CATALOGUE[name].files, standins.STAMP}
    assert folder.parent == tmp_path / "standins"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_garments_are_written_in_the_form_that_torchvision_reads(tmp_path, garments, monkeypatch):
    from torchvision.datasets import FashionMNIST

    monkeypatch.setattr(standins, "make_garments", lambda: garments)
    folder = standins.ensure("fashion_mnist", tmp_path)
    datasets._check_fashion_mnist(folder, real=False)
    with pytest.raises(datasets.DamagedDataError, match="altered"):  # never taken for real
        datasets._check_fashion_mnist(folder, real=True)
    for train, images, labels in ((True, *garments[:2]), (False, *garments[2:])):
        read = FashionMNIST(root=str(folder), train=train, download=False)
        np.testing.assert_array_equal(read.data.numpy(), images)
        np.testing.assert_array_equal(read.targets.numpy(), labels)


@pytest.mark.parametrize("name", SMALL)
def test_a_stand_in_is_never_taken_for_the_real_set(tmp_path, name):
    folder = standins.ensure(name, tmp_path)
    datasets._CHECKS[name](folder, False)
    with pytest.raises(datasets.DamagedDataError, match="altered"):
        datasets._CHECKS[name](folder, True)


def test_houses_are_written_in_the_form_that_scikit_learn_reads(tmp_path, houses):
    from sklearn.datasets import fetch_california_housing

    folder = standins.ensure("housing", tmp_path) / "scikit_learn_data"
    read = fetch_california_housing(data_home=folder, download_if_missing=False)
    np.testing.assert_array_equal(read.target, houses[:, 0] / 100000)
    np.testing.assert_array_equal(read.data[:, 0], houses[:, 1])


def test_the_bean_file_gives_back_every_number(tmp_path, beans):
    folder = standins.ensure("dry_beans", tmp_path)
    read = pd.read_csv(folder / "Dry_Bean_Dataset.csv")
    # pandas' quick parser may miss the last bit of a number
    pd.testing.assert_frame_equal(read, beans, check_dtype=False, rtol=1e-15, atol=0)


def test_the_play_file_has_a_byte_order_mark(tmp_path):
    body = (standins.ensure("macbeth", tmp_path) / "macbeth/1533-0.txt").read_bytes()
    assert body.startswith(b"\xef\xbb\xbf*** START")
    assert body.count(b"\r\n") == body.count(b"\n") > 1000


def test_a_complete_stand_in_is_used_again(tmp_path, monkeypatch):
    folder = standins.ensure("dry_beans", tmp_path)
    monkeypatch.setattr(standins, "_WRITERS", {})  # making it again would fail
    assert standins.ensure("dry_beans", tmp_path) == folder


@pytest.mark.parametrize("loss", ["a file", "the stamp", "the end of a file"])
def test_an_incomplete_stand_in_is_made_again(tmp_path, loss):
    folder = standins.ensure("macbeth", tmp_path)
    before = tree(folder)
    file = folder / "macbeth/1533-0.txt"
    if loss == "a file":
        file.unlink()
    elif loss == "the stamp":
        (folder / standins.STAMP).unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    assert tree(standins.ensure("macbeth", tmp_path)) == before
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_another_version_is_made_beside_the_old_one(tmp_path, monkeypatch):
    old = standins.ensure("macbeth", tmp_path)
    monkeypatch.setattr(standins, "VERSION", standins.VERSION + 1)
    assert standins.ensure("macbeth", tmp_path) != old


def test_an_interruption_leaves_no_stand_in_behind(tmp_path, monkeypatch):
    def interrupt(folder):
        (folder / "half").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setitem(standins._WRITERS, "macbeth", interrupt)
    with pytest.raises(KeyboardInterrupt):
        standins.ensure("macbeth", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_maker_leaves_goes_once_it_can_be_nobodys(tmp_path):
    killed, at_work = (tmp_path / f".making-{owner}" for owner in ("killed", "at-work"))
    for folder in (killed, at_work):
        folder.mkdir()
        (folder / "half").write_text("half")
    long_ago = time.time() - 2 * A_DAY
    os.utime(killed, (long_ago, long_ago))
    made = standins.ensure("macbeth", tmp_path)
    assert set(tmp_path.iterdir()) == {made, at_work}


def test_the_slower_of_two_makers_leaves_the_quickers_work(tmp_path, monkeypatch):
    write = standins._WRITERS["macbeth"]

    def write_while_another_finishes(folder):
        monkeypatch.setitem(standins._WRITERS, "macbeth", write)
        standins.ensure("macbeth", tmp_path)
        write(folder)

    monkeypatch.setitem(standins._WRITERS, "macbeth", write_while_another_finishes)
    folder = standins.ensure("macbeth", tmp_path)
    assert standins._is_complete(folder)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_several_processes_may_make_one_at_once(tmp_path):
    code = "import sys; from pathlib import Path; from utilities import standins\n"
    code += "print(standins._is_complete(standins.ensure('macbeth', Path(sys.argv[1]))))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    settings = {"cwd": ROOT, "env": clean_environment(), "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(command, **settings) for _ in range(3)]
    assert [child.communicate(timeout=60)[0].strip() for child in children] == ["True"] * 3
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="folder modes are not those of POSIX")
def test_a_finished_stand_in_can_be_read_by_others(tmp_path):
    umask = os.umask(0o022)
    try:
        folder = standins.ensure("macbeth", tmp_path)
    finally:
        os.umask(umask)
    assert folder.stat().st_mode & 0o777 == 0o755
