"""The plots and diagrams: drawn from the numbers given, readable without colour, reproducible."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from utilities import diagrams, figures

ROOT = Path(__file__).resolve().parent.parent
POINTS = np.array(
    [(-2.3, 3), (-1.5, -1.5), (0.5, 0.75), (1.9, 2.25), (-2, 6.75), (-1.1, 6), (0, 7.5), (1.5, 6)]
)
LABELS = np.array([-1, -1, -1, -1, 1, 1, 1, 1])
GARMENTS = ["Top", "Trouser", "Pullover", "Dress", "Coat"]
GARMENTS += ["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
BEANS = ["BARBUNYA", "BOMBAY", "CALI", "DERMASON", "HOROZ", "SEKER", "SIRA"]


@pytest.fixture(autouse=True)
def _fresh_style():
    """Draw each test's figures in the style of the notebook, then forget both."""
    with matplotlib.rc_context():
        figures.use_style()
        yield
    plt.close("all")


def _contrast(light, dark):
    """Return the WCAG contrast of two colours, 1 to 21."""
    linear = np.array([to_rgb(light), to_rgb(dark)]) ** 2.2  # sRGB, nearly
    luminance = linear @ [0.2126, 0.7152, 0.0722] + 0.05
    return luminance[0] / luminance[1]


def _texts(ax):
    return [text.get_text() for text in ax.texts]


def _tick_labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def _nothing_is_cut_off(figure):
    """Return whether all that a figure draws lies on it, to a hundredth of an inch."""
    figure.canvas.draw()
    drawn = figure.get_tightbbox()  # inches
    width, height = figure.get_size_inches()
    return min(drawn.x0, drawn.y0, width - drawn.x1, height - drawn.y1) > -0.01


# The style.


def test_every_line_differs_in_dash_and_marker_so_that_colour_is_never_alone():
    n_lines = len(figures.PALETTE)
    assert len(set(figures.PALETTE)) == len(set(figures.LINE_STYLES)) == n_lines
    assert len(set(figures.MARKERS)) == n_lines


def test_the_two_classes_of_points_differ_in_luminance_and_marker():
    (dark, circle), (light, triangle) = figures.CLASS_STYLES[-1], figures.CLASS_STYLES[1]
    assert circle != triangle
    # WCAG 2.1, 1.4.11 asks 3 : 1 of graphics told apart by shade alone; these differ in shape too.
    assert _contrast(light, dark) > 2


def test_use_style_may_be_called_twice():
    before = dict(plt.rcParams)
    figures.use_style()
    assert dict(plt.rcParams) == before


def test_figures_import_needs_neither_torch_nor_tensorflow_nor_scikit_learn():
    code = (
        "import sys; from utilities import figures, diagrams;"
        "print([m for m in ('torch', 'tensorflow', 'sklearn') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_figures_are_twice_as_sharp_in_a_notebook_only(monkeypatch):
    formats = []
    monkeypatch.setattr(figures, "set_matplotlib_formats", formats.append)
    figures.use_style()
    assert formats == []
    monkeypatch.setattr(figures, "get_ipython", object)
    figures.use_style()
    assert formats == ["retina"]


# Losses.


def test_loss_is_drawn_against_the_iteration_it_was_recorded_at():
    figure = figures.plot_loss([1.1, 0.9, 0.7], every=1000, title="Descent", label="gd")
    (ax,) = figure.axes
    x, y = ax.lines[0].get_data()
    assert x.tolist() == [0, 1000, 2000]
    assert y.tolist() == [1.1, 0.9, 0.7]
    assert (ax.get_title(loc="left"), ax.get_xlabel()) == ("Descent", "Iteration")
    assert ax.get_ylabel() == "Cross-entropy loss"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["gd"]


def test_losses_of_epochs_count_from_one():
    figure = figures.plot_loss([2.0, 1.5], every=1, start=1, xlabel="Epoch")
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2]
    assert figure.axes[0].get_xlabel() == "Epoch"


def test_a_loss_drawn_into_given_axes_returns_them_and_takes_the_next_dash():
    _, ax = plt.subplots()
    assert figures.plot_loss([1.0, 0.5], ax=ax) is ax
    figures.plot_loss([1.0, 0.6], ax=ax)
    assert len(ax.lines) == 2
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()


def test_several_losses_share_one_axes_and_a_legend():
    figure = figures.plot_losses({"gd": [1.0, 0.5, 0.4], "momentum": [1.0, 0.3]}, every=10)
    (ax,) = figure.axes
    assert [line.get_label() for line in ax.lines] == ["gd", "momentum"]
    assert ax.lines[1].get_xdata().tolist() == [0, 10]
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([], "non-empty vector, got shape"),
        ([[1.0, 2.0]], r"non-empty vector, got shape \(1, 2\)"),
        ([1.0, np.nan], r"must be finite, got NaN or infinity at position \[1\]"),
        (["a"], "must be an array of numbers, got"),
        (3.0, r"non-empty vector, got shape \(\)"),
    ],
)
def test_losses_that_cannot_be_drawn_are_refused(losses, message):
    with pytest.raises(ValueError, match=message):
        figures.plot_loss(losses)


@pytest.mark.parametrize("every", [0, -5, 1.5, True])
def test_records_are_a_whole_number_of_iterations_apart(every):
    with pytest.raises(ValueError, match="every must be a whole number of at least 1, got"):
        figures.plot_loss([1.0], every=every)


def test_losses_without_names_are_refused():
    with pytest.raises(ValueError, match="losses must map names to losses, got"):
        figures.plot_losses([1.0, 2.0])
    assert plt.get_fignums() == []


# Confusion matrices.


@pytest.mark.parametrize("names", [["low", "med", "high"], BEANS, GARMENTS], ids=len)
def test_rows_of_the_confusion_matrix_sum_to_one(names):
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, len(names), size=(2, 500))
    figure = figures.plot_confusion_matrix(true, predicted, names, "Test set")
    ax, bar = figure.axes
    shares = ax.images[0].get_array()
    assert np.allclose(shares.sum(axis=1), 1, rtol=0, atol=1e-12)  # rounding of ten sums
    assert _tick_labels(ax.xaxis) == _tick_labels(ax.yaxis) == names
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Predicted class", "True class")
    assert bar.get_ylabel() == "Share of the true class"
    assert len(ax.texts) == len(names) ** 2


def test_confusion_matrix_counts_true_classes_in_rows():
    figure = figures.plot_confusion_matrix([0, 0, 0, 0, 1], [0, 0, 0, 1, 1], ["low", "high"])
    assert figure.axes[0].images[0].get_array().tolist() == [[0.75, 0.25], [0, 1]]
    assert _texts(figure.axes[0]) == ["0.75", "0.25", "0", "1.00"]


def test_a_class_that_never_occurs_shows_dashes():
    figure = figures.plot_confusion_matrix([0, 0], [0, 1], ["low", "high"])
    assert _texts(figure.axes[0])[2:] == ["\N{EN DASH}"] * 2


def test_numbers_in_dark_cells_are_white_and_in_light_cells_black():
    figure = figures.plot_confusion_matrix([0, 1], [0, 1], ["low", "high"])
    colours = [text.get_color() for text in figure.axes[0].texts]
    assert colours == ["white", "black", "black", "white"]


@pytest.mark.parametrize(
    ("true", "predicted", "names", "message"),
    [
        ([0, 1], [0], ["a", "b"], r"y_pred must be as long as y_true \(2\), got 1"),
        ([0, 2], [0, 1], ["a", "b"], "y_true must hold class indices 0 to 1, got 2"),
        ([0, 1], [0, -1], ["a", "b"], "y_pred must hold class indices 0 to 1, got -1"),
        ([0, 0.5], [0, 1], ["a", "b"], "y_true must hold class indices 0 to 1, got 0.5"),
        ([[1, 0]], [0], ["a", "b"], r"one-hot rows: argmax\), got shape \(1, 2\)"),
        ([0], [0], ["a"], "labels must list at least two class names, got"),
        ([0], [0], "ab", "labels must list at least two class names, got 'ab'"),
    ],
)
def test_confusion_matrix_refuses_what_are_not_classes(true, predicted, names, message):
    with pytest.raises(ValueError, match=message):
        figures.plot_confusion_matrix(true, predicted, names)
    assert plt.get_fignums() == []


# Images and training curves.


@pytest.mark.parametrize("shape", [(32, 28, 28), (32, 1, 28, 28)])
def test_the_grid_shows_every_image_with_its_class_name(shape):
    images = np.random.default_rng(0).random(shape)
    labels = np.arange(32) % 10
    figure = figures.plot_image_grid(images, labels, GARMENTS)
    assert len(figure.axes) == 32
    assert [ax.get_xlabel() for ax in figure.axes] == [GARMENTS[i] for i in labels]
    shown = np.stack([ax.images[0].get_array() for ax in figure.axes])
    assert np.array_equal(shown, images.reshape(32, 28, 28))


def test_an_incomplete_last_row_of_the_grid_has_no_empty_frames():
    figure = figures.plot_image_grid(np.ones((5, 28, 28)), [0] * 5, GARMENTS, n_columns=3)
    assert len(figure.axes) == 5


@pytest.mark.parametrize(
    ("shape", "labels", "columns", "message"),
    [
        ((2, 3, 28, 28), [0, 1], 8, r"images must have shape \(N, H, W\) or"),
        ((28, 28), [0], 8, r"images must have shape .* got \(28, 28\)"),
        ((0, 28, 28), [0], 8, r"images must have shape .* got \(0, 28, 28\)"),
        ((2, 28, 28), [0], 8, r"labels must have one entry an image \(2\), got 1"),
        ((2, 28, 28), [0, 10], 8, "labels must hold class indices 0 to 9, got 10"),
        ((2, 28, 28), [0, 1], 0, "n_columns must be a whole number"),
    ],
)
def test_the_grid_refuses_images_and_labels_that_do_not_fit(shape, labels, columns, message):
    with pytest.raises(ValueError, match=message):
        figures.plot_image_grid(np.zeros(shape), labels, GARMENTS, columns)


def test_training_history_draws_both_sets_by_epoch():
    history = ([0.6, 0.4, 0.3], [0.7, 0.8, 0.85], [0.5, 0.4, 0.35], [0.8, 0.85, 0.9])
    figure = figures.plot_training_history(history, "CNN")
    loss, accuracy = figure.axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [history[0], history[2]]
    assert [line.get_ydata().tolist() for line in accuracy.lines] == [history[1], history[3]]
    assert loss.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert loss.lines[0].get_linestyle() != loss.lines[1].get_linestyle()


@pytest.mark.parametrize("n_epochs", [1, 2, 10, 20])
def test_epoch_ticks_are_whole_numbers(n_epochs):
    history = [[0.5] * n_epochs for _ in range(4)]
    figure = figures.plot_training_history(history)
    figure.canvas.draw()
    low, high = figure.axes[0].get_xlim()
    ticks = [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high]
    assert ticks
    assert all(tick == round(tick) for tick in ticks)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ([[0.5], [0.5], [0.5]], "history must hold four lists .* got 3"),
        ([[0.5], [0.5, 0.6], [0.5], [0.5]], r"one length, got lengths \[1, 2, 1, 1\]"),
        ([[0.5], [93.0], [0.5], [0.5]], r"train accuracies must lie in \[0, 1\], got 93"),
        ([[], [], [], []], "train losses must be a non-empty vector"),
    ],
)
def test_training_history_refuses_what_is_no_history(history, message):
    with pytest.raises(ValueError, match=message):
        figures.plot_training_history(history)


# Points and decision boundaries.


def test_points_are_split_by_class():
    figure = figures.plot_points(POINTS, LABELS, "Points")
    negative, positive = figure.axes[0].collections
    assert np.array_equal(negative.get_offsets(), POINTS[:4])
    assert np.array_equal(positive.get_offsets(), POINTS[4:])
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("$x_1$", "$x_2$")


def _hard_margin_svm():
    from sklearn.svm import SVC

    return SVC(kernel="linear", C=1e6).fit(POINTS, LABELS)


def test_svm_plot_shows_the_hyperplane_and_both_margins():
    svm = _hard_margin_svm()
    ax = figures.plot_svm(POINTS, LABELS, svm.coef_, svm.intercept_).axes[0]
    levels = []
    for line in ax.lines:
        ends = np.array([line.get_xy1(), line.get_xy2()])
        scores = svm.decision_function(ends)
        assert scores[0] == pytest.approx(scores[1], abs=1e-9)  # parallel to the hyperplane
        levels.append((round(scores[0], 6), line.get_linestyle()))
    assert sorted(levels) == [(-1, "--"), (0, "-"), (1, "--")]
    assert ax.get_aspect() == 1  # a margin looks perpendicular only on equal scales


def test_svm_plot_rings_the_support_vectors():
    svm = _hard_margin_svm()
    rounded = np.round(svm.coef_, 3), np.round(svm.intercept_, 3)
    ax = figures.plot_svm(POINTS, LABELS, *rounded).axes[0]
    rings = np.asarray(ax.collections[2].get_offsets())
    assert sorted(rings.tolist()) == sorted(svm.support_vectors_.tolist())


def test_svm_plot_draws_a_vertical_hyperplane():
    ax = figures.plot_svm([(-1, 0), (1, 0)], [-1, 1], [1, 0], 0).axes[0]
    assert {line.get_xy1()[0] for line in ax.lines} == {-1, 0, 1}


@pytest.mark.parametrize(
    ("points", "labels", "theta", "intercept", "message"),
    [
        (POINTS[:, :1], LABELS, [1, 1], 0, r"points must have shape \(N, 2\), got \(8, 1\)"),
        (POINTS, LABELS[:3], [1, 1], 0, r"labels must have one entry a point \(8\), got 3"),
        (POINTS, LABELS + 1, [1, 1], 0, "labels must be -1 or .1, got 0"),
        (np.full((8, 2), np.inf), LABELS, [1, 1], 0, "points must be finite"),
        (POINTS, LABELS, [0, 0], 0, "theta must be two numbers, not both zero"),
        (POINTS, LABELS, [1, 1, 1], 0, "theta must be two numbers, not both zero"),
        (POINTS, LABELS, [1, 1], [0, 1], "intercept must be one number, got 2"),
    ],
)
def test_svm_plot_refuses_what_is_no_plane(points, labels, theta, intercept, message):
    with pytest.raises(ValueError, match=message):
        figures.plot_svm(points, labels, theta, intercept)
    assert plt.get_fignums() == []


def test_decision_regions_follow_the_function_given():
    figure = figures.plot_decision_regions(POINTS, LABELS, lambda x: x[:, 1] - 4.5, "Kernel")
    ax = figure.axes[0]
    heights = {
        tuple(np.unique(np.round(path.vertices[:, 1], 6)))
        for contour in ax.collections
        for path in contour.get_paths()
        if type(contour).__name__ == "QuadContourSet" and not contour.filled
    }
    assert heights == {(3.5,), (4.5,), (5.5,)}


def test_decision_regions_without_a_boundary_in_view_are_drawn_without_warning(recwarn):
    figures.plot_decision_regions(POINTS, LABELS, lambda x: np.full(len(x), 7.0))
    figures.plot_decision_regions(POINTS, LABELS, lambda x: np.full(len(x), -7.0))
    assert not recwarn.list


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (3, TypeError, "decision_function must be callable, got int"),
        (lambda x: x, ValueError, r"must return shape \(N,\) for points of shape"),
        (lambda x: x[:, 0] * np.nan, ValueError, r"decision_function\(points\) must be finite"),
    ],
)
def test_decision_regions_refuse_what_is_no_decision_function(function, error, message):
    with pytest.raises(error, match=message):
        figures.plot_decision_regions(POINTS, LABELS, function)
    assert plt.get_fignums() == []


# The page.


def _all_plots():
    rng = np.random.default_rng(0)
    history = [rng.random(10) for _ in range(4)]
    yield figures.plot_loss(rng.random(60), title="Loss")
    yield figures.plot_losses({"gd": rng.random(60), "momentum": rng.random(60)}, title="Losses")
    for names in (["low", "med", "high"], BEANS, GARMENTS):
        classes = rng.integers(0, len(names), size=(2, 200))
        yield figures.plot_confusion_matrix(*classes, names, "Confusion matrix")
    images = rng.random((32, 28, 28))
    yield figures.plot_image_grid(images, np.arange(32) % 10, GARMENTS, title="Images")
    yield figures.plot_training_history(history, "History")
    yield figures.plot_points(POINTS, LABELS, "Points")
    yield figures.plot_svm(POINTS, LABELS, [0.2, 0.6], -2.5, "Plane")
    yield figures.plot_decision_regions(POINTS, LABELS, lambda x: x[:, 1] - 4.5, "Regions")


def test_every_plot_fits_the_width_of_the_page_and_cuts_nothing_off():
    for figure in _all_plots():
        assert figure.get_figwidth() <= figures.PAGE_WIDTH
        assert _nothing_is_cut_off(figure)


# Diagrams.


@pytest.mark.parametrize("name", diagrams.DIAGRAMS)
def test_a_diagram_fits_the_page_in_type_of_at_least_eight_points(name):
    figure = diagrams.DIAGRAMS[name]()
    assert figure.get_figwidth() <= figures.PAGE_WIDTH
    assert min(text.get_fontsize() for text in figure.axes[0].texts) >= 8
    assert _nothing_is_cut_off(figure)


@pytest.mark.parametrize("name", diagrams.DIAGRAMS)
def test_texts_of_a_diagram_do_not_overlap(name):
    figure = diagrams.DIAGRAMS[name]()
    figure.canvas.draw()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    overlapping = [
        (texts[i].get_text(), texts[j].get_text())
        for i in range(len(boxes))
        for j in range(i)
        if boxes[i].overlaps(boxes[j])
    ]
    assert overlapping == []


def test_the_parameters_named_in_the_cnn_diagram_add_up():
    counts = [stage[3] for row in diagrams.CNN_ROWS for stage in row]
    assert sum(counts) == 867_418
    assert "867,418" in " ".join(diagrams.CNN_NOTES)


def test_diagrams_are_the_same_bytes_on_two_runs_whatever_the_style(tmp_path):
    styled = diagrams.save_all(tmp_path / "styled")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        plain = diagrams.save_all(tmp_path / "plain")
    assert [path.name for path in styled] == [f"{name}.png" for name in diagrams.DIAGRAMS]
    for first, second in zip(styled, plain, strict=True):
        assert first.read_bytes() == second.read_bytes()
        assert 1_000 < first.stat().st_size < 150_000
    assert sorted(os.listdir(tmp_path / "plain")) == sorted(path.name for path in plain)


def test_diagrams_leave_the_users_style_alone():
    before = dict(plt.rcParams)
    diagrams.draw_lstm_cell()
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize("name", diagrams.DIAGRAMS)
def test_the_committed_image_has_the_size_of_a_fresh_one(name, tmp_path):
    committed = plt.imread(ROOT / "data" / "images" / f"{name}.png")
    width, height = diagrams.DIAGRAMS[name]().get_size_inches() * diagrams.DPI
    assert committed.shape[:2] == (round(height), round(width))


def test_diagrams_are_not_written_over_a_file(tmp_path):
    occupied = tmp_path / "images"
    occupied.write_text("mine")
    with pytest.raises(ValueError, match="folder must be a directory, got the file"):
        diagrams.save_all(occupied)
    assert occupied.read_text() == "mine"
