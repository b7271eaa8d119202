"""utilities.utils: the housing classes of Q1 and the text windows of Q5."""

import tracemalloc

import numpy as np
import pytest
from helpers import no_warnings, refused
from sklearn.model_selection import train_test_split

from utilities import datasets
from utilities.utils import clean_text, get_housing_dataset, preprocess_text_data

# --- housing -----------------------------------------------------------------------------------


PARTS = ("x_train", "y_train", "x_test", "y_test")


def made_up_houses(decimals=1):
    """Return as many houses as the real set has, with targets that tie often."""
    rng = np.random.default_rng(0)
    return rng.gamma(2.0, 3.0, size=(20640, 8)), rng.gamma(3.0, 0.7, size=20640).round(decimals)


def housing_by_hand(features, target):
    """Follow the contract step by step, class by class and column by column."""
    rows = np.random.RandomState(3).permutation(len(target))[:500]
    features, target = features[rows], target[rows]
    order = np.argsort(target.astype(np.longdouble))
    features, target = features[order], target[order]
    by_place = [0] * 166 + [1] * 166 + [2] * 168
    highest = {}
    for value, label in zip(target.tolist(), by_place, strict=True):
        highest[value] = max(label, highest.get(value, 0))
    labels = [highest[value] for value in target.tolist()]
    x_train, x_test, y_train, y_test = train_test_split(features, labels, random_state=1)
    low, high = x_train.min(axis=0), x_train.max(axis=0)
    eye = np.eye(3)
    return (
        (x_train - low) / (high - low),
        eye[y_train],
        (x_test - low) / (high - low),
        eye[y_test],
    )


def assert_as_by_hand(actual, expected):
    for got, wanted, name in zip(actual, expected, PARTS, strict=True):
        # Scaling by hand subtracts first and divides then; the scaler multiplies by 1 / range and
        # adds: a few roundings of numbers up to about ten ranges.
        np.testing.assert_allclose(got, wanted, atol=1e-14, err_msg=name)


@pytest.fixture
def houses(monkeypatch):
    """Let get_housing_dataset work on made-up houses and return a function that sets them."""

    def use(features, target):
        monkeypatch.setattr(datasets, "load_housing", lambda: (features.copy(), target.copy()))

    return use


def test_housing_has_the_graded_shapes_types_and_range(houses):
    houses(*made_up_houses())
    with no_warnings():
        x_train, y_train, x_test, y_test = get_housing_dataset()
    assert (x_train.shape, y_train.shape) == ((375, 8), (375, 3))
    assert (x_test.shape, y_test.shape) == ((125, 8), (125, 3))
    assert x_train.dtype == x_test.dtype == np.float64
    np.testing.assert_allclose(x_train.min(axis=0), 0, atol=1e-15)  # x * scale + offset, rounded
    np.testing.assert_allclose(x_train.max(axis=0), 1, atol=1e-14)
    for y in (y_train, y_test):
        assert set(np.unique(y)) == {0, 1}
        assert (y.sum(axis=1) == 1).all()


def test_housing_without_ties_has_three_classes_of_equal_size(houses):
    features, target = made_up_houses()
    houses(features, np.random.default_rng(1).permutation(len(target)) / 1000)
    _, y_train, _, y_test = get_housing_dataset()
    counts = y_train.sum(axis=0) + y_test.sum(axis=0)
    assert counts.tolist() == [166, 166, 168]


def test_rows_with_the_same_target_share_the_highest_class_among_them(houses):
    features, target = made_up_houses(decimals=0)  # a dozen prices, so classes shift by many rows
    houses(features, target)
    y = get_housing_dataset()
    counts = (y[1].sum(axis=0) + y[3].sum(axis=0)).tolist()
    assert counts != [166, 166, 168]  # ties do cross the boundaries
    assert_as_by_hand(y, housing_by_hand(features, target))


def test_ties_keep_the_order_of_the_scalar_sort(houses):
    features, target = made_up_houses(decimals=1)
    houses(features, target)
    assert_as_by_hand(get_housing_dataset(), housing_by_hand(features, target))


def test_housing_is_the_same_each_time_and_leaves_the_global_stream_alone(houses):
    houses(*made_up_houses())
    np.random.seed(5)
    first = get_housing_dataset()
    drawn = np.random.random()
    second = get_housing_dataset()
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert drawn == np.random.RandomState(5).random_sample()


def test_real_housing_follows_the_contract(real_data):
    from sklearn.datasets import fetch_california_housing

    folder = real_data("housing") / "scikit_learn_data"
    raw = fetch_california_housing(data_home=folder, download_if_missing=False, return_X_y=True)
    actual = get_housing_dataset()
    assert_as_by_hand(actual, housing_by_hand(*raw))
    assert (actual[1].sum(axis=0) + actual[3].sum(axis=0)).tolist() == [166, 166, 168]


# --- cleaning ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("MACbeth", "macbeth", id="lower case"),
        pytest.param("out \t damned\r\n\r\nspot", "out damned spot", id="white space"),
        pytest.param("a\u00a0b\u2003c", "a b c", id="white space beyond ASCII"),
        pytest.param("_who_ [goes] (there) & then*", "who goes there then", id="other symbols"),
        pytest.param("act 5 scene 10", "act 5 scene 10", id="digits stay"),
        pytest.param("light-foot", "light-foot", id="hyphens stay"),
        pytest.param("out!! out,, who?? so..", "out! out, who? so.", id="doubled marks"),
        pytest.param("well... done!!!!", "well. done!", id="runs of a mark"),
        pytest.param("now , then", "now, then", id="no space before a mark"),
        pytest.param("now,then", "now, then", id="one space after a mark"),
        pytest.param("a ;b :c ! d ? e .f", "a; b: c! d? e. f", id="every mark"),
        pytest.param("so . , then", "so. , then", id="marks apart"),
        pytest.param('" all hail "', '"all hail"', id="double quotes"),
        pytest.param("' all hail '", "'all hail'", id="single quotes"),
        pytest.param("crown\u2019d", "crownd", id="typographic quotes go"),
        pytest.param("hold\u2014hold", "holdhold", id="dashes go"),
        pytest.param("\ufeffthane", "thane", id="byte order mark"),
    ],
)
def test_cleaning_follows_each_rule(text, cleaned):
    assert clean_text(text).strip() == cleaned


def test_cleaning_twice_changes_nothing_more():
    text = 'He said: " Hail!! " and... left ,so; they\nsay --"all hail" ?'
    once = clean_text(text)
    assert clean_text(once) == once


@pytest.mark.parametrize("unit", ["\u2014 ", "\u0434\u0430 ", " - ", "' "])
def test_long_runs_of_spaces_left_by_other_symbols_are_cleaned_at_all(unit):
    """In time that grows with the square of the text this would take ten minutes."""
    assert set(clean_text(unit * 200_000)) <= set(unit)


PLAY = (
    "Enter three Witches.\r\n\r\nWhen shall we three meet again?\r\n"
    "In thunder, lightning, or in rain\u2014so crown\u2019d \u201cat\u201d Scone, \u00e6re we\r\n"
)
START = "*** START OF THE PROJECT GUTENBERG EBOOK MACBETH ***"
END = "*** END OF THE PROJECT GUTENBERG EBOOK MACBETH ***"
HEADER = "The Project Gutenberg eBook of Macbeth\r\n\r\nTitle: Macbeth\r\n\r\n"
LICENCE = "\r\n\r\n*** START: FULL LICENSE ***\r\nTHE FULL PROJECT GUTENBERG LICENSE, 1.F.3. $1\r\n"


def test_a_header_and_a_licence_make_no_difference():
    bare = f"{START}\r\n{PLAY}{END}"
    text = clean_text(bare)
    assert clean_text("\ufeff" + HEADER + bare + LICENCE) == text
    assert clean_text((HEADER + bare + LICENCE).replace("\r\n", "\n")) == text
    assert "start of the project gutenberg ebook macbeth" in text  # both markers are kept
    assert "end of the project gutenberg ebook macbeth" in text
    assert "license" not in text
    assert "title" not in text


def test_the_markers_of_older_files_work_as_well():
    old = START.replace(" THE ", " THIS "), END.replace(" THE ", " THIS ")
    text = clean_text(f"{HEADER}{old[0]}\r\n{PLAY}{old[1]}{LICENCE}")
    assert "license" not in text
    assert "title" not in text
    assert text.strip().startswith("start of this project")


def test_a_text_without_markers_is_taken_whole():
    assert clean_text("Is this a dagger") == "is this a dagger"


@pytest.mark.parametrize("wrong", ["latin-1", "cp1252"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("So foul \u2018and\u2019 fair\u2014a day", id="quotes and dashes"),
        pytest.param("voil\u00e0s un chateau", id="a letter whose last byte reads as a space"),
        pytest.param("caf\u00e9 \u00e6on", id="accented letters"),
        pytest.param("l\u00e0la \u2018la\u2019", id="that letter beside quotes"),
        pytest.param("\ufeffthane of Cawdor\u2026", id="byte order mark and ellipsis"),
    ],
)
def test_a_wrong_decoding_of_utf8_makes_no_difference(text, wrong):
    garbled = text.encode("utf-8").decode(wrong)
    assert garbled != text
    assert clean_text(garbled) == clean_text(text)


def test_text_that_really_is_not_ascii_is_not_taken_for_garbled():
    assert clean_text("na\u00efve \u00e9tude") == "nave tude"


# --- windows -----------------------------------------------------------------------------------


def test_windows_and_targets_by_hand():
    text = "double, double toil and trouble; fire burn"
    data = preprocess_text_data(text)
    assert data["text"] == text
    assert data["sequence_len"] == 30
    vocab = sorted(set(text))
    assert data["vocab"] == vocab
    assert data["vocab_size"] == len(vocab)
    assert data["char_indices"] == {c: i for i, c in enumerate(vocab)}
    assert data["indices_char"] == dict(enumerate(vocab))
    assert data["x"].shape == (len(text) - 30, 30)
    assert data["y"].shape == (len(text) - 30, 1)
    for i in range(len(text) - 30):
        assert "".join(vocab[j] for j in data["x"][i]) == text[i : i + 30]
        assert vocab[data["y"][i, 0]] == text[i + 30]


def test_indices_are_integers():
    data = preprocess_text_data("double, double toil and trouble; fire burn")
    assert np.issubdtype(data["x"].dtype, np.integer)
    assert np.issubdtype(data["y"].dtype, np.integer)


def test_thirty_one_characters_make_one_window():
    data = preprocess_text_data("a" * 30 + "b")
    assert data["x"].tolist() == [[0] * 30]
    assert data["y"].tolist() == [[1]]


@pytest.mark.parametrize("text", [None, b"tomorrow and tomorrow" * 5, 5, ["a"] * 40, np.nan])
def test_text_must_be_a_string(text):
    with refused("text"):
        preprocess_text_data(text)


@pytest.mark.parametrize("text", [None, b"tomorrow and tomorrow" * 5, 5])
def test_cleaning_takes_nothing_but_a_string(text):
    with refused("text"):
        clean_text(text)


@pytest.mark.parametrize("text", ["", "a" * 30, " \n" * 100, "\u2014" * 100])
def test_a_text_too_short_for_one_window_is_refused(text):
    with refused("text"):
        preprocess_text_data(text)


def test_the_memory_of_the_windows_is_bounded_by_a_few_numbers_a_character():
    text = "tomorrow and tomorrow, " * 50_000
    tracemalloc.start()
    try:
        data = preprocess_text_data(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # an index of 8 bytes for each character and a few copies of the text; windows that are written
    # out would be 240
    assert peak < 24 * len(text)
    assert data["x"].shape == (len(data["text"]) - 30, 30)


SYMBOLS = list(" !,-.:;?abcdefghijklmnopqrstuvwxyz")


def macbeth_in_every_form(content):
    """Yield the play as a server or an editor may hand it over."""
    text = content.decode("utf-8-sig")
    yield "as it is", text
    yield "with the byte order mark", "\ufeff" + text
    yield "with line feeds only", text.replace("\r\n", "\n")
    yield "with header and licence", HEADER + text + LICENCE
    yield "read as Latin-1", content.decode("latin-1")
    yield "read as Windows-1252", content.decode("cp1252", errors="replace")
    yield (
        "read as Latin-1, with header and licence",
        ((HEADER + text + LICENCE).encode("utf-8").decode("latin-1")),
    )


def test_macbeth_has_the_published_size_in_every_form(real_data):
    content = (real_data("macbeth") / "macbeth" / "1533-0.txt").read_bytes()
    for form, text in macbeth_in_every_form(content):
        data = preprocess_text_data(text)
        assert len(data["text"]) == 102_188, form
        assert data["vocab"] == SYMBOLS, form
        assert data["x"].shape == (102_158, 30) and data["y"].shape == (102_158, 1), form
    window = "e. all. come, high or low; thy"
    rows = [data["char_indices"][c] for c in window]
    assert window in data["text"]
    assert (np.asarray(data["x"]) == rows).all(axis=1).any()
