"""Where data comes from: the folder, a download, a stand-in; and that nothing bad gets through.

Most tests run on small or made-up content that they declare to be the published one, with a
server on this machine that misbehaves in every way a mirror can. The last section needs real data.
"""

import os
import socket
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, clean_environment, run_python
from mirror import (
    NAMES,
    as_arff,
    beans_archive,
    files_below,
    houses_archive,
    joblib_bytes,
    place,
    small_images,
    use,
    zipped,
)

from utilities import datasets, standins
from utilities.utils import clean_text

pytest_plugins = ("mirror",)
pytestmark = pytest.mark.usefixtures("only_this_machine")

HEAVY = ("torch", "torchvision", "tensorflow", "sklearn")


# --- the data home -------------------------------------------------------------------------------


def test_the_data_home_is_the_projects_data_folder_whatever_the_working_directory(
    monkeypatch, tmp_path
):
    monkeypatch.delenv("HW4_DATA_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert datasets.data_home() == ROOT / "data"


def test_a_relative_data_home_counts_from_the_project_root(monkeypatch, tmp_path):
    monkeypatch.setenv("HW4_DATA_HOME", "elsewhere/../mine")
    monkeypatch.chdir(tmp_path)
    assert datasets.data_home() == ROOT / "mine"


def test_an_empty_setting_counts_as_none(monkeypatch):
    monkeypatch.setenv("HW4_DATA_HOME", "")
    assert datasets.data_home() == ROOT / "data"


def test_an_unknown_name_is_refused_with_the_known_ones(home):
    with pytest.raises(ValueError, match="housing, fashion_mnist, dry_beans, macbeth, got 'iris'"):
        datasets.locate("iris")


@pytest.mark.parametrize("name", NAMES)
def test_files_in_the_data_home_are_used_without_a_request(home, published, name):
    place(home, published[name])
    source = datasets.locate(name)
    assert (source.name, source.kind) == (name, "real")
    assert source.path == home / datasets.CATALOGUE[name].shown_as
    assert not datasets.is_standin(name)


def test_loading_real_data_warns_of_nothing(home, published):
    for name in NAMES:
        place(home, published[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features, target = datasets.load_housing()
        images = datasets.load_fashion_mnist(train=False)
        beans = datasets.load_dry_beans()
        text = datasets.load_macbeth()
    assert features.shape == (20640, 8)
    assert target.shape == (20640,)
    assert features.dtype == target.dtype == np.float64
    assert type(images).__name__ == "FashionMNIST"
    assert images.data.shape == (10, 28, 28)
    assert beans.shape == (13611, 17)
    assert beans.columns.tolist() == list(datasets.BEAN_COLUMNS)
    assert len(clean_text(text)) == 102188


def test_images_pass_through_the_transform(home, published):
    place(home, published["fashion_mnist"])
    image, label = datasets.load_fashion_mnist(train=True, transform=np.asarray)[3]
    assert image.shape == (28, 28)
    assert label == 3


def test_content_is_checked_once_a_process_and_again_after_a_change(home, published, monkeypatch):
    path = place(home, published["macbeth"])
    reads = []
    check = datasets._CHECKS["macbeth"]
    monkeypatch.setitem(datasets._CHECKS, "macbeth", lambda *a: (reads.append(1), check(*a)))
    for _ in range(3):
        datasets.locate("macbeth")
    assert len(reads) == 1
    path.write_bytes(path.read_bytes().replace(b"frozen", b"frosty"))
    with pytest.raises(datasets.DamagedDataError):
        datasets.locate("macbeth")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_play_is_read_with_either_line_end(home, published, line_end):
    (body,) = published["macbeth"].values()
    text = body.decode("utf-8-sig").replace("\r\n", line_end)
    place(home, {"macbeth/1533-0.txt": text.encode()})
    assert len(clean_text(datasets.load_macbeth())) == 102188


def test_header_and_licence_round_the_play_are_cut_off(home, published):
    (body,) = published["macbeth"].values()
    wrapped = body[:3] + b"The Project Gutenberg eBook\r\n\r\n" + body[3:] + b"\r\nUPDATED editions"
    place(home, {"macbeth/1533-0.txt": wrapped})
    text = datasets.load_macbeth()
    assert text.startswith("*** START OF")
    assert text.endswith("***")
    assert len(clean_text(text)) == 102188


def test_beans_with_ucis_other_column_names_get_the_names_of_the_csv(home, published):
    table = standins.make_beans().rename(
        columns={"AspectRation": "AspectRatio", "roundness": "Roundness"}
    )
    place(home, {"Dry_Bean_Dataset.csv": table.to_csv(index=False).encode()})
    assert datasets.load_dry_beans().columns.tolist() == list(datasets.BEAN_COLUMNS)


# --- damaged files -------------------------------------------------------------------------------


def altered(name, body):
    """Change one value of a file and keep its form."""
    if name == "housing":
        houses = standins.make_houses()
        houses[100, 1] += 0.0001
        return joblib_bytes(houses)
    if name == "dry_beans":
        return body.replace(b"\n4", b"\n5", 1)
    if name == "macbeth":
        return body.replace(b"frozen", b"frosty", 1)
    return body[:-1] + bytes([body[-1] ^ 1])


DAMAGE = {
    "empty": lambda name, body: b"",
    "a web page": lambda name, body: b"\r\n<!DOCTYPE html><html>Log in</html>",
    "cut short": lambda name, body: body[: len(body) // 2],
    "one value altered": altered,
    "noise": lambda name, body: np.random.default_rng(1).bytes(5000),
}


@pytest.mark.parametrize("switch", ["", "1"], ids=["strict", "stand-ins allowed"])
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_refused_by_name_and_left_alone(
    home, published, monkeypatch, name, damage, switch
):
    monkeypatch.setenv("HW4_STANDIN", switch)
    path = place(home, published[name])
    bad = DAMAGE[damage](name, path.read_bytes())
    path.write_bytes(bad)
    with pytest.raises(datasets.DamagedDataError, match=r"expected .*, got ") as caught:
        datasets.locate(name)
    assert path.name in str(caught.value)
    assert f"Delete {path} and run again" in str(caught.value)
    assert path.read_bytes() == bad
    assert not (home / "standins").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_in_place_of_a_file_is_refused(home, published, name):
    path = place(home, published[name])
    path.unlink()
    path.mkdir()
    with pytest.raises(datasets.DamagedDataError, match="cannot be read"):
        datasets.locate(name)


def test_a_dangling_link_is_refused(home, published):
    path = place(home, published["macbeth"])
    path.unlink()
    path.symlink_to(home / "nowhere")
    with pytest.raises(datasets.DamagedDataError, match=r"1533-0\.txt"):
        datasets.locate("macbeth")


def test_errors_can_be_caught_by_their_built_in_kinds():
    assert issubclass(datasets.DataError, RuntimeError)
    assert issubclass(datasets.MissingDataError, (datasets.DataError, FileNotFoundError))
    assert issubclass(datasets.DamagedDataError, (datasets.DataError, ValueError))
    assert issubclass(datasets.StandInWarning, UserWarning)


@pytest.mark.parametrize("column", datasets.BEAN_FEATURES)
def test_one_altered_bean_is_noticed_in_every_column(home, published, column):
    beans = standins.make_beans()
    row = len(beans) // 3
    # one unit, or a thousandth of the value where values are small
    step = 1 if column in ("Area", "ConvexArea") else beans.loc[row, column] / 1000
    beans.loc[row, column] += step
    place(home, {"Dry_Bean_Dataset.csv": beans.to_csv(index=False).encode()})
    with pytest.raises(datasets.DamagedDataError, match=f"published values of {column}"):
        datasets.locate("dry_beans")


def test_two_swapped_beans_are_noticed(home, published):
    beans = standins.make_beans()
    beans.iloc[[10, 20]] = beans.iloc[[20, 10]].to_numpy()
    place(home, {"Dry_Bean_Dataset.csv": beans.to_csv(index=False).encode()})
    with pytest.raises(datasets.DamagedDataError, match="published values"):
        datasets.locate("dry_beans")


def test_a_missing_bean_value_is_refused(home, published):
    beans = standins.make_beans()
    beans.loc[5, "Extent"] = np.nan
    place(home, {"Dry_Bean_Dataset.csv": beans.to_csv(index=False).encode()})
    with pytest.raises(datasets.DamagedDataError, match="finite"):
        datasets.locate("dry_beans")


def test_beans_of_the_wrong_class_are_refused(home, published):
    beans = standins.make_beans()
    beans.loc[5, "Class"] = "SIRA"
    place(home, {"Dry_Bean_Dataset.csv": beans.to_csv(index=False).encode()})
    with pytest.raises(datasets.DamagedDataError, match=r"the classes .* in this order"):
        datasets.locate("dry_beans")


def test_a_play_in_another_encoding_is_refused(home, published):
    (body,) = published["macbeth"].values()
    latin = body.decode("utf-8-sig").replace("—", "-").encode("cp1252")
    place(home, {"macbeth/1533-0.txt": latin})
    with pytest.raises(datasets.DamagedDataError, match=r"UTF-8 .* another encoding"):
        datasets.locate("macbeth")


def test_a_play_without_its_end_marker_is_refused(home, published):
    (body,) = published["macbeth"].values()
    place(home, {"macbeth/1533-0.txt": body[:-80]})
    with pytest.raises(datasets.DamagedDataError, match="without the END marker"):
        datasets.locate("macbeth")


class Bomb:
    """A pickle of this calls os.system."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("wrap", ["plain", "in an array", "with a true array"])
def test_a_pickle_that_would_run_code_is_refused_without_running_it(
    home, published, tmp_path, wrap
):
    trace = tmp_path / "executed"
    bomb = Bomb(f"touch '{trace}'")
    contents = {
        "plain": bomb,
        "in an array": np.array([bomb], dtype=object),
        "with a true array": [standins.make_houses(), bomb],
    }
    place(home, {"scikit_learn_data/cal_housing_py3.pkz": joblib_bytes(contents[wrap])})
    with pytest.raises(datasets.DamagedDataError, match=r"pickle that calls|Python objects"):
        datasets.load_housing()
    assert not trace.exists()


def test_houses_of_another_shape_are_refused(home, published):
    body = joblib_bytes(standins.make_houses()[:100])
    place(home, {"scikit_learn_data/cal_housing_py3.pkz": body})
    with pytest.raises(datasets.DamagedDataError, match=r"got an array \(100, 9\)"):
        datasets.locate("housing")


def test_a_pickle_that_unpacks_without_end_is_refused(home, published):
    body = joblib_bytes(np.zeros(10**7))  # 80 MB from a tenth of one
    place(home, {"scikit_learn_data/cal_housing_py3.pkz": body})
    with pytest.raises(datasets.DamagedDataError, match=r"cal_housing_py3\.pkz"):
        datasets.locate("housing")


def test_old_tensors_that_torchvision_would_read_unchecked_are_refused(home, published):
    files = published["fashion_mnist"] | {"FashionMNIST/processed/training.pt": b"anything"}
    place(home, files)
    with pytest.raises(datasets.DamagedDataError, match=r"training\.pt"):
        datasets.load_fashion_mnist(train=True)


# --- downloads -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_download_is_real_and_leaves_nothing_else_behind(home, offer, published, name):
    use(name, offer(name))
    assert datasets.locate(name).kind == "real"
    assert files_below(home) == set(published[name])
    assert [path.name for path in home.iterdir() if path.name.startswith(".")] == []


def test_a_second_run_downloads_nothing(home, offer, mirror):
    use("macbeth", offer("macbeth"))
    datasets.load_macbeth()
    count = len(mirror.requests)
    datasets.load_macbeth()
    assert len(mirror.requests) == count == 1


BAD_REPLIES = {
    "not found": {"status": 404},
    "empty": {"body": b""},
    "a web page": {"body": b"<html><body>Please log in</body></html>"},
    "cut short": {"body": b"*** START OF half a file", "Content_Length": 10**6},
    "something else": {"body": b"1,2,3\n" * 100},
    "server error": {"status": 503},
}


@pytest.mark.parametrize("reply", BAD_REPLIES)
@pytest.mark.parametrize("name", ["fashion_mnist", "dry_beans", "macbeth"])
def test_after_a_bad_reply_the_next_mirror_is_asked(home, offer, mirror, published, name, reply):
    good = offer(name)
    bad = good.replace("/good", "/bad")
    first = f"{bad}train-images-idx3-ubyte.gz" if name == "fashion_mnist" else bad
    mirror.serve(first.removeprefix(mirror.url), **BAD_REPLIES[reply])
    use(name, bad, good)
    assert datasets.locate(name).kind == "real"
    assert files_below(home) == set(published[name])


@pytest.mark.parametrize("reply", ["server error", "cut short"])
@pytest.mark.parametrize("name", NAMES)
def test_a_fault_that_passes_is_tried_three_times(home, offer, mirror, name, reply):
    use(name, offer(name, before=[BAD_REPLIES[reply]] * 2))
    assert datasets.locate(name).kind == "real"


def test_a_file_that_is_not_found_is_asked_for_once(home, mirror, published):
    use("macbeth", mirror.serve("/gone", status=404))
    with pytest.raises(datasets.MissingDataError, match="HTTP status 404"):
        datasets.locate("macbeth")
    assert mirror.requests == ["/gone"]
    assert files_below(home) == set()


def test_a_persistent_server_error_is_asked_for_three_times(home, mirror, published):
    use("macbeth", mirror.serve("/ill", status=500))
    with pytest.raises(datasets.MissingDataError, match="HTTP status 500"):
        datasets.locate("macbeth")
    assert mirror.requests == ["/ill"] * 3
    assert files_below(home) == set()


@pytest.mark.parametrize(
    ("reply", "said"),
    [("empty", "an empty file"), ("a web page", "an HTML page"), ("something else", "marker")],
)
def test_the_error_says_what_each_mirror_sent(home, mirror, published, reply, said):
    use("macbeth", mirror.serve("/play.txt", **BAD_REPLIES[reply]))
    with pytest.raises(datasets.MissingDataError, match=said) as caught:
        datasets.locate("macbeth")
    assert f"{mirror.url}/play.txt" in str(caught.value)
    assert files_below(home) == set()


@pytest.mark.parametrize("name", NAMES)
def test_an_altered_download_is_never_put_in_place(home, offer, monkeypatch, name):
    use(name, offer(name))
    monkeypatch.setattr(datasets, "HOUSING_SHA256", "0")
    monkeypatch.setattr(datasets, "FASHION_SHA256", dict.fromkeys(datasets.FASHION_SHA256, "0"))
    monkeypatch.setattr(datasets, "BEAN_SUMS", np.zeros(16))
    monkeypatch.setattr(datasets, "TEXT_SHA256", "0")
    with pytest.raises(datasets.MissingDataError, match="altered"):
        datasets.locate(name)
    assert files_below(home) == set()


def test_the_servers_charset_label_does_no_harm(home, mirror, published):
    (body,) = published["macbeth"].values()
    label = "text/plain; charset=ISO-8859-1"
    use("macbeth", mirror.serve("/play.txt", body, Content_Type=label))
    assert "queen’s" in datasets.load_macbeth()
    assert (home / "macbeth/1533-0.txt").read_bytes() == body


def test_ucis_csv_mirror_is_as_good_as_its_archive(home, mirror, published):
    table = standins.make_beans().rename(
        columns={"AspectRation": "AspectRatio", "roundness": "Roundness"}
    )
    use("dry_beans", mirror.serve("/data.csv", table.to_csv(index=False).encode()))
    pd.testing.assert_frame_equal(datasets.load_dry_beans(), standins.make_beans())


def test_a_csv_in_ucis_archive_is_read_too(home, mirror, published):
    body = zipped("Dry/beans.csv", standins.make_beans().to_csv(index=False))
    use("dry_beans", mirror.serve("/beans.zip", body))
    pd.testing.assert_frame_equal(datasets.load_dry_beans(), standins.make_beans())


@pytest.mark.parametrize("digits", [9, 6])
def test_an_arff_with_fewer_digits_is_still_the_same_table(home, mirror, published, digits):
    body = zipped("Dry/beans.arff", as_arff(standins.make_beans(), float_format=f"%.{digits}f"))
    use("dry_beans", mirror.serve("/beans.zip", body))
    assert datasets.locate("dry_beans").kind == "real"


@pytest.mark.parametrize("body", [zipped("readme.txt", "no data"), zipped("a.arff", "@relation")])
def test_an_archive_without_the_table_is_refused(home, mirror, published, body):
    use("dry_beans", mirror.serve("/beans.zip", body))
    with pytest.raises(datasets.MissingDataError, match=r"only \['readme.txt'\]|without @data"):
        datasets.locate("dry_beans")


@pytest.mark.parametrize(
    ("name", "archive"), [("housing", houses_archive), ("dry_beans", beans_archive)]
)
def test_an_archive_whose_table_is_far_too_large_is_refused_unread(
    home, mirror, published, monkeypatch, name, archive
):
    monkeypatch.setattr(datasets, "LARGEST_TABLE", 10_000)
    use(name, mirror.serve("/archive", archive()))
    with pytest.raises(datasets.MissingDataError, match=r"at most 10,000 bytes, got one of \d"):
        datasets.locate(name)


def free_port():
    """Return a port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_without_a_connection_all_four_sets_fail_within_seconds(home, published, monkeypatch):
    address = f"http://127.0.0.1:{free_port()}/"
    monkeypatch.setattr(datasets, "RETRY_PAUSE", 0.5)
    started = time.monotonic()
    for name in NAMES:
        use(name, address, f"{address}second/")
        with pytest.raises(datasets.MissingDataError, match="no connection") as caught:
            datasets.locate(name)
        # the second address is on the same dead host
        assert str(caught.value).count("no connection") == 1
    assert time.monotonic() - started < 30  # a loaded machine imports torch in this time


def test_files_that_are_there_are_kept_when_the_others_are_fetched(home, offer, published):
    kept = dict(list(published["fashion_mnist"].items())[:2])
    place(home, kept)
    use("fashion_mnist", offer("fashion_mnist"))
    assert datasets.locate("fashion_mnist").kind == "real"
    assert files_below(home) == set(published["fashion_mnist"])


def test_a_damaged_part_is_refused_although_other_parts_are_missing(home, offer, published):
    name, body = next(iter(published["fashion_mnist"].items()))
    path = place(home, {name: body[:-5]})
    use("fashion_mnist", offer("fashion_mnist"))
    with pytest.raises(datasets.DamagedDataError, match="train-images"):
        datasets.locate("fashion_mnist")
    assert path.read_bytes() == body[:-5]


@pytest.mark.parametrize("stage", ["while fetching", "while checking"])
def test_an_interruption_leaves_nothing_behind(home, offer, monkeypatch, stage):
    use("macbeth", offer("macbeth"))

    def interrupt(*_):
        raise KeyboardInterrupt

    if stage == "while fetching":
        monkeypatch.setitem(datasets._FETCHERS, "macbeth", interrupt)
    else:
        monkeypatch.setitem(datasets._CHECKS, "macbeth", interrupt)
    with pytest.raises(KeyboardInterrupt):
        datasets.locate("macbeth")
    assert list(home.iterdir()) == []


# --- nothing to be had, and stand-ins ------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_missing_data_is_named_with_every_way_out(home, published, name):
    with pytest.raises(datasets.MissingDataError) as caught:
        datasets.locate(name)
    message = str(caught.value)
    entry = datasets.CATALOGUE[name]
    for part in (*entry.files, str(home), "HW4_DATA_HOME", entry.page, "HW4_STANDIN=1"):
        assert part in message


def test_a_data_home_that_cannot_be_written_is_said_to_be_so(home, published, mirror, monkeypatch):
    home.write_text("a file where the folder should be")
    use("macbeth", mirror.serve("/play.txt", b"never asked for"))
    with pytest.raises(datasets.MissingDataError, match=r"home cannot be written \("):
        datasets.locate("macbeth")
    assert mirror.requests == []


def test_a_read_only_data_home_is_said_to_be_so(home, published, monkeypatch):
    home.mkdir()

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(datasets.tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(datasets.MissingDataError, match=r"cannot be written \(Permission denied\)"):
        datasets.locate("macbeth")


def test_a_read_only_data_home_with_data_in_it_is_enough(home, published):
    path = place(home, published["macbeth"])
    for folder in (path.parent, home):
        folder.chmod(0o555)
    try:
        assert datasets.locate("macbeth").kind == "real"
    finally:
        for folder in (home, path.parent):
            folder.chmod(0o755)


@pytest.fixture
def standins_wanted(home, monkeypatch):
    """Allow stand-ins, with images too few to cost time."""
    monkeypatch.setenv("HW4_STANDIN", "1")
    headers, files = small_images()
    monkeypatch.setattr(datasets, "FASHION_HEADERS", headers)

    def write_few(folder):
        place(folder, {f"FashionMNIST/raw/{name}": body for name, body in files.items()})

    monkeypatch.setitem(standins._WRITERS, "fashion_mnist", write_few)
    return home


LOADERS = {
    "housing": lambda: datasets.load_housing(),
    "fashion_mnist": lambda: datasets.load_fashion_mnist(train=True),
    "dry_beans": lambda: datasets.load_dry_beans(),
    "macbeth": lambda: datasets.load_macbeth(),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_stand_in_warns_at_every_load(standins_wanted, name):
    for _ in range(2):
        with pytest.warns(datasets.StandInWarning, match=r"STAND-IN .*not on the real data"):
            LOADERS[name]()
    assert datasets.is_standin(name)
    assert datasets.locate(name).path.is_relative_to(standins_wanted / "standins")


def test_pythons_default_filter_does_not_swallow_the_second_warning(standins_wanted):
    code = (
        "from utilities.datasets import load_macbeth, URLS\n"
        "URLS['macbeth'] = ()\n"
        "for _ in range(3): load_macbeth()"
    )
    env = clean_environment(HW4_DATA_HOME=standins_wanted, HW4_STANDIN=1)
    done = run_python(code, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("StandInWarning") == 3


@pytest.mark.parametrize("setting", ["", "0", "no"])
def test_the_switch_can_be_off(home, monkeypatch, setting):
    monkeypatch.setenv("HW4_STANDIN", setting)
    with pytest.raises(datasets.MissingDataError):
        datasets.locate("macbeth")


def test_the_network_is_asked_once_before_a_stand_in_is_used(standins_wanted, mirror):
    use("macbeth", mirror.serve("/gone", status=404))
    for _ in range(3):
        assert datasets.is_standin("macbeth")
    assert mirror.requests == ["/gone"]


def test_a_download_is_preferred_to_a_stand_in(standins_wanted, offer):
    use("macbeth", offer("macbeth"))
    assert datasets.locate("macbeth").kind == "real"


def test_real_files_are_preferred_to_a_stand_in_made_before(standins_wanted, published):
    assert datasets.is_standin("macbeth")
    place(standins_wanted, published["macbeth"])
    assert not datasets.is_standin("macbeth")


def test_a_spoilt_stand_in_is_made_again(standins_wanted, monkeypatch):
    path = datasets.locate("dry_beans").path
    good = path.read_bytes()
    path.write_bytes(good.replace(b"SEKER", b"REKES"))  # of the same size
    assert datasets.locate("dry_beans").path.read_bytes() == good


def test_without_a_writable_data_home_stand_ins_lie_in_the_project(
    standins_wanted, monkeypatch, tmp_path
):
    standins_wanted.write_text("a file where the folder should be")
    monkeypatch.setattr(datasets, "PROJECT_ROOT", tmp_path / "project")
    source = datasets.locate("macbeth")
    assert source.path.is_relative_to(tmp_path / "project/data/standins")
    assert datasets._shown(source) == "data/standins/macbeth-v1/macbeth/1533-0.txt"


def test_nowhere_to_write_stand_ins_is_said_clearly(standins_wanted, monkeypatch, tmp_path):
    standins_wanted.write_text("a file where the folder should be")
    (tmp_path / "project").write_text("another")
    monkeypatch.setattr(datasets, "PROJECT_ROOT", tmp_path / "project")
    with pytest.raises(datasets.DataError, match=r"cannot be written.*Set HW4_DATA_HOME"):
        datasets.locate("macbeth")


# --- the table and the command -------------------------------------------------------------------


def test_the_table_tells_real_data_from_stand_ins(standins_wanted, published):
    place(standins_wanted, published["macbeth"])
    table = datasets.summary()
    assert table.columns.tolist() == ["Data set", "Kind", "Source", "Location"]
    assert table["Kind"].tolist() == ["STAND-IN"] * 3 + ["real"]
    assert table["Source"].tolist()[:3] == ["made by utilities/standins.py"] * 3
    assert table["Location"].tolist()[3] == "$HW4_DATA_HOME/macbeth/1533-0.txt"
    assert table["Location"].str.startswith("$HW4_DATA_HOME/").all()


def test_the_table_shows_no_folder_of_the_machine(standins_wanted, monkeypatch, tmp_path):
    monkeypatch.delenv("HW4_DATA_HOME")
    monkeypatch.setattr(datasets, "PROJECT_ROOT", tmp_path / "project")
    table = datasets.summary()
    assert table["Location"].str.startswith("data/standins/").all()


def test_the_command_prints_the_table(standins_wanted, monkeypatch, capsys):
    monkeypatch.setenv("HW4_STANDIN", "")  # so that the option's own setting is undone afterwards
    assert datasets.main(["--standin"]) == 0
    out = capsys.readouterr().out
    assert out.count("STAND-IN") == 4
    assert "Fashion-MNIST" in out


def test_the_command_fails_with_a_line_for_each_missing_set(home, capsys):
    assert datasets.main([]) == 1
    error = capsys.readouterr().err
    for entry in datasets.CATALOGUE.values():
        assert f"error: {entry.title} is missing" in error


def test_importing_the_module_imports_no_course_library():
    code = "import sys, utilities.datasets, utilities.standins; print(*sys.modules)"
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert not set(HEAVY) & set(done.stdout.split())


# --- real data -----------------------------------------------------------------------------------


@pytest.fixture
def real(monkeypatch):
    """Return a function that skips where a real set is not in the data home."""
    monkeypatch.delenv("HW4_STANDIN", raising=False)
    monkeypatch.setattr(datasets, "_checked", set())
    monkeypatch.setattr(datasets, "URLS", dict.fromkeys(NAMES, ()))

    def need(name):
        files = datasets.CATALOGUE[name].files
        if not any((datasets.data_home() / file).exists() for file in files):
            pytest.skip(f"no real {name} data below HW4_DATA_HOME")

    return need


@pytest.mark.parametrize("name", NAMES)
def test_the_published_data_is_recognised(real, name):
    real(name)
    assert datasets.locate(name).kind == "real"


def test_real_houses_are_exactly_those_of_scikit_learn(real):
    from sklearn.datasets import fetch_california_housing

    real("housing")
    folder = datasets.data_home() / "scikit_learn_data"
    expected = fetch_california_housing(data_home=folder, download_if_missing=False)
    features, target = datasets.load_housing()
    np.testing.assert_array_equal(features, expected.data)
    np.testing.assert_array_equal(target, expected.target)


def test_real_images_come_as_torchvisions_class(real):
    from torchvision.datasets import FashionMNIST

    real("fashion_mnist")
    for train, count in ((True, 60000), (False, 10000)):
        images = datasets.load_fashion_mnist(train=train)
        assert type(images) is FashionMNIST
        assert len(images) == count
        assert np.bincount(images.targets).tolist() == [count // 10] * 10


def test_real_beans_have_the_published_counts(real):
    real("dry_beans")
    beans = datasets.load_dry_beans()
    assert beans.shape == (13611, 17)
    assert beans["Class"].value_counts().to_dict() == datasets.BEAN_COUNTS


@pytest.mark.parametrize("digits", [9, 7])
def test_real_beans_are_recognised_by_shorter_numbers(real, tmp_path, monkeypatch, digits):
    real("dry_beans")
    body = datasets.load_dry_beans().round(digits).to_csv(index=False).encode()
    place(tmp_path, {"Dry_Bean_Dataset.csv": body})
    monkeypatch.setenv("HW4_DATA_HOME", str(tmp_path))
    assert datasets.locate("dry_beans").kind == "real"


def test_the_real_play_has_the_published_length_and_window(real):
    real("macbeth")
    text = datasets.load_macbeth()
    assert text.startswith("*** START OF THE PROJECT GUTENBERG EBOOK MACBETH ***")
    assert "e. all. come, high or low; thy" in clean_text(text)


def test_one_altered_letter_of_the_real_play_is_noticed(real, tmp_path, monkeypatch):
    real("macbeth")
    file = "macbeth/1533-0.txt"
    place(
        tmp_path,
        {file: (datasets.data_home() / file).read_bytes().replace(b"Forres", b"Torres", 1)},
    )
    monkeypatch.setenv("HW4_DATA_HOME", str(tmp_path))
    with pytest.raises(datasets.DamagedDataError, match="altered"):
        datasets.locate("macbeth")


def test_real_data_is_read_through_a_link(real, tmp_path, monkeypatch):
    real("dry_beans")
    target = datasets.data_home() / "Dry_Bean_Dataset.csv"
    (tmp_path / target.name).symlink_to(target)
    monkeypatch.setenv("HW4_DATA_HOME", str(tmp_path))
    assert datasets.locate("dry_beans").kind == "real"
