"""Every plot of the notebook, in one style.

Read in this order: the palette and `use_style`, the checks at the boundary, then one section for
each kind: losses (Q1, Q5), confusion matrices (Q1 to Q3), images and training curves (Q2),
points and decision boundaries (Q4).

Each function takes plain numbers, draws them into a figure of its own and returns that figure;
none of them calls ``plt.show()``. In a notebook cell, end the call with a semicolon or with
``plt.show()``: as the bare last expression of a cell, the figure would be shown twice.

The colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which remain distinct for
colour-blind readers. Colour never stands alone: lines also differ in dash and marker, points in
shape, so that everything reads on a grey print.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from matplotlib_inline.backend_inline import set_matplotlib_formats
from numpy.typing import ArrayLike

BLUE, VERMILLION, GREEN, BLACK = "#0072B2", "#D55E00", "#009E73", "#000000"
ORANGE, PURPLE, SKY = "#E69F00", "#CC79A7", "#56B4E9"
PALETTE = (BLUE, VERMILLION, GREEN, BLACK, ORANGE, PURPLE, SKY)  # no yellow: too faint on paper
LINE_STYLES = ("-", "--", "-.", ":", (0, (7, 1.5)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
NEGATIVE_SIDE = "#D3E2EE"  # light enough for black text, dark enough to show on a grey print

PAGE_WIDTH = 7.0  # inches: US Letter, 8.5 wide, with margins of 0.75
CLASS_STYLES = {-1: (BLUE, "o"), 1: (ORANGE, "^")}  # colour and marker
CLASS_NAMES = {-1: "class \N{MINUS SIGN}1", 1: "class +1"}
# A support vector has |f(x)| = 1. The solver stops within 1e-3, and theta rounded to three decimals
# moves f by at most 0.0005 (|x1| + |x2| + 1), half a hundredth for these points.
SUPPORT_TOLERANCE = 1e-2
GRID_SIZE = 301  # points a side at which a decision function is evaluated

STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=PALETTE) + cycler(linestyle=LINE_STYLES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 96,  # a CSS pixel: an inch of a figure is an inch of the page
    "figure.figsize": (6.0, 3.4),
    "figure.titlesize": 10,
    "figure.titleweight": "bold",
    "font.size": 9,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "image.cmap": "gray",
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "savefig.dpi": 192,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}


def use_style() -> None:
    """Set the plot style of the whole notebook; calling it again changes nothing.

    In a notebook, figures are drawn at twice the resolution and shown at their true size, so that
    they are sharp on paper.
    """
    plt.rcParams.update(STYLE)
    if get_ipython() is not None:
        set_matplotlib_formats("retina")


# Checks at the boundary.


def _numbers(name: str, values: ArrayLike) -> np.ndarray:
    """Return values as an array of finite floats."""
    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers, got {values!r:.60}") from error
    if not np.isfinite(numbers).all():
        position = np.argwhere(~np.isfinite(numbers))[0].tolist()
        raise ValueError(f"{name} must be finite, got NaN or infinity at position {position}")
    return numbers


def _vector(name: str, values: ArrayLike) -> np.ndarray:
    """Return values as a non-empty vector of finite floats."""
    vector = _numbers(name, values)
    if vector.ndim != 1 or vector.size == 0:
        raise ValueError(f"{name} must be a non-empty vector, got shape {vector.shape}")
    return vector


def _whole_number(name: str, value: int) -> int:
    """Return a count of at least one."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return int(value)


def _class_names(name: str, values: Sequence[str]) -> list[str]:
    """Return at least two class names as strings."""
    if isinstance(values, str) or len(values) < 2:
        raise ValueError(f"{name} must list at least two class names, got {values!r}")
    return [str(value) for value in values]


def _class_indices(name: str, values: ArrayLike, n_classes: int) -> np.ndarray:
    """Return values as indices of n_classes classes."""
    shape = np.shape(values)
    if len(shape) > 1:
        raise ValueError(
            f"{name} must be a vector of class indices (one-hot rows: argmax), got shape {shape}"
        )
    vector = _vector(name, values)
    wrong = vector[(vector != np.round(vector)) | (vector < 0) | (vector >= n_classes)]
    if wrong.size:
        raise ValueError(f"{name} must hold class indices 0 to {n_classes - 1}, got {wrong[0]:g}")
    return vector.astype(int)


def _points_and_labels(points: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return points (N, 2) and their labels (N,), each -1 or +1."""
    xy = _numbers("points", points)
    signs = _vector("labels", labels)
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise ValueError(f"points must have shape (N, 2), got {xy.shape}")
    if len(xy) != len(signs):
        raise ValueError(f"labels must have one entry a point ({len(xy)}), got {len(signs)}")
    wrong = signs[np.abs(signs) != 1]
    if wrong.size:
        raise ValueError(f"labels must be -1 or +1, got {wrong[0]:g}")
    return xy, signs.astype(int)


# Losses.


def _line_look(index: int) -> dict:
    """Return colour, dash and marker of the index-th line of an axes."""
    return {
        "color": PALETTE[index % len(PALETTE)],
        "linestyle": LINE_STYLES[index % len(LINE_STYLES)],
        "marker": MARKERS[index % len(MARKERS)],
    }


def _new_axes(width: float, height: float) -> Axes:
    """Return the axes of a new figure of that size in inches."""
    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def _whole_ticks() -> MaxNLocator:
    """Return a locator of round whole numbers, of which there may be just one."""
    return MaxNLocator(nbins=10, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)


def plot_loss(
    losses: ArrayLike,
    every: int = 1000,
    title: str = "",
    label: str | None = None,
    ax: Axes | None = None,
    *,
    start: int = 0,
    xlabel: str = "Iteration",
) -> Figure | Axes:
    """Plot a loss against the iteration at which it was recorded.

    Parameters
    ----------
    losses : array-like of shape (T,)
        Recorded losses in order.
    every : int
        Iterations from one record to the next.
    title : str
        Title of the plot.
    label : str, optional
        Name in the legend; without one there is no legend.
    ax : Axes, optional
        Axes to draw into, where the next free colour and dash are taken. A new figure if missing.
    start : int
        Iteration of the first record; 1 for losses recorded at the end of each epoch.
    xlabel : str
        What is counted along the horizontal axis.

    Returns
    -------
    Figure or Axes
        The new figure, or `ax` if that was given.
    """
    values = _vector("losses", losses)
    steps = start + _whole_number("every", every) * np.arange(len(values))
    target = _new_axes(6.0, 3.2) if ax is None else ax
    # About twelve markers a line: enough to tell lines apart, too few to hide them.
    spacing = max(1, len(values) // 12)
    look = _line_look(len(target.lines))
    target.plot(steps, values, label=label, markevery=spacing, markersize=4, **look)
    target.set(xlabel=xlabel, ylabel="Cross-entropy loss")
    target.xaxis.set_major_locator(_whole_ticks())
    target.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    if title:
        target.set_title(title)
    if label is not None:
        target.legend()
    return target.figure if ax is None else target


def plot_losses(
    losses: Mapping[str, ArrayLike],
    every: int = 1000,
    title: str = "",
    *,
    start: int = 0,
    xlabel: str = "Iteration",
) -> Figure:
    """Plot several losses into one axes, told apart by colour, dash and marker.

    Parameters
    ----------
    losses : mapping of str to array-like of shape (T,)
        Losses by the name that the legend shows; their lengths may differ.
    every, title, start, xlabel
        As in `plot_loss`.

    Returns
    -------
    Figure
    """
    if not isinstance(losses, Mapping) or not losses:
        raise ValueError(f"losses must map names to losses, got {losses!r:.60}")
    curves = {str(name): _vector(f"losses[{name!r}]", values) for name, values in losses.items()}
    _whole_number("every", every)
    ax = _new_axes(6.0, 3.2)
    for name, values in curves.items():
        plot_loss(values, every, label=name, ax=ax, start=start, xlabel=xlabel)
    if title:
        ax.set_title(title)
    return ax.figure


# Confusion matrices.


def _row_shares(true: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the confusion matrix with rows summing to one; rows of absent classes are NaN."""
    counts = np.zeros((n_classes, n_classes))  # (true, predicted)
    np.add.at(counts, (true, predicted), 1)
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)


def _text_colour(rgba: Sequence[float]) -> str:
    """Return black or white, whichever has more contrast on that colour (WCAG 2 luminance)."""
    channels = np.asarray(rgba[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"


def _cell_text(share: float) -> str:
    """Return the number printed in a cell; a dash for a class that never occurs."""
    if np.isnan(share):
        return "\N{EN DASH}"
    return "0" if share == 0 else f"{share:.2f}"


def _write_cells(ax: Axes, shares: np.ndarray, fontsize: float) -> None:
    """Write each share into its cell of the image that ax holds."""
    image = ax.images[0]
    for (row, column), share in np.ndenumerate(shares):
        colour = "black" if np.isnan(share) else _text_colour(image.cmap(image.norm(share)))
        text = _cell_text(share)
        ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=fontsize)


def _name_classes(ax: Axes, names: list[str]) -> None:
    """Put class names on both axes, slanted below if they would run into each other."""
    ticks = range(len(names))
    ax.set_yticks(ticks, names)
    slanted = max(map(len, names)) * len(names) > 36
    rotation = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    ax.set_xticks(ticks, names, **rotation)


def plot_confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, labels: Sequence[str], title: str = ""
) -> Figure:
    """Plot a confusion matrix in which each row, a true class, sums to one.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (N,)
        True and predicted class of each row, as indices into `labels`.
    labels : sequence of str
        Class names.
    title : str
        Title of the plot.

    Returns
    -------
    Figure
        A class without a true row shows dashes.
    """
    names = _class_names("labels", labels)
    true = _class_indices("y_true", y_true, len(names))
    predicted = _class_indices("y_pred", y_pred, len(names))
    if len(true) != len(predicted):
        raise ValueError(f"y_pred must be as long as y_true ({len(true)}), got {len(predicted)}")
    shares = _row_shares(true, predicted, len(names))

    side = min(1.9 + 0.42 * len(names), 5.4)
    ax = _new_axes(min(side + 1.1, PAGE_WIDTH), side)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _write_cells(ax, shares, fontsize=9 if len(names) < 8 else 8)
    _name_classes(ax, names)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set(xlabel="Predicted class", ylabel="True class")
    ax.set_title(title)
    bar = ax.figure.colorbar(image, ax=ax, label="Share of the true class", shrink=0.9)
    bar.outline.set_visible(False)
    return ax.figure


# Images and training curves.


def _grey_images(images: ArrayLike) -> np.ndarray:
    """Return images as (N, H, W), a single grey channel dropped."""
    stack = _numbers("images", images)
    if stack.ndim == 4 and stack.shape[1] == 1:
        stack = stack[:, 0]
    if stack.ndim != 3 or 0 in stack.shape:
        raise ValueError(f"images must have shape (N, H, W) or (N, 1, H, W), got {stack.shape}")
    return stack


def _title_above(figure: Figure, title: str) -> None:
    """Put a title above all panels, flush left like the title of a single plot."""
    figure.suptitle(title, x=0.01, ha="left")


def plot_image_grid(
    images: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    n_columns: int = 8,
    title: str = "",
) -> Figure:
    """Show images in grey, each with its class name below.

    Parameters
    ----------
    images : array-like of shape (N, H, W) or (N, 1, H, W)
        Grey images on a common scale; zero is black.
    labels : array-like of int, shape (N,)
        Class of each image, as an index into `class_names`.
    class_names : sequence of str
        Class names.
    n_columns : int
        Images in a row.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        One axes for each image.
    """
    stack = _grey_images(images)
    names = _class_names("class_names", class_names)
    classes = _class_indices("labels", labels, len(names))
    if len(classes) != len(stack):
        raise ValueError(f"labels must have one entry an image ({len(stack)}), got {len(classes)}")
    columns = min(_whole_number("n_columns", n_columns), len(stack))
    rows = -(-len(stack) // columns)

    tile = min(PAGE_WIDTH / columns, 1.2)  # inches
    size = (tile * columns, (tile + 0.2) * rows + (0.3 if title else 0))
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for ax in axes.flat[len(stack) :]:
        ax.remove()
    for ax, image, index in zip(axes.flat, stack, classes, strict=False):
        ax.imshow(image, cmap="gray", vmin=min(0.0, stack.min()), vmax=stack.max())
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
        ax.set_xlabel(names[index], fontsize=8.5, labelpad=2)
    if title:
        _title_above(figure, title)
    return figure


def _draw_epochs(ax: Axes, train: np.ndarray, validation: np.ndarray, ylabel: str) -> None:
    """Draw one quantity of both sets against the epoch."""
    epochs = np.arange(1, len(train) + 1)
    for index, (values, name) in enumerate([(train, "training"), (validation, "validation")]):
        ax.plot(epochs, values, label=name, markersize=4, **_line_look(index))
    ax.set(xlabel="Epoch", ylabel=ylabel, xlim=(0.5, len(train) + 0.5))
    ax.xaxis.set_major_locator(_whole_ticks())
    ax.legend()


def plot_training_history(history: Sequence[ArrayLike], title: str = "") -> Figure:
    """Plot loss and accuracy of the training and the validation set by epoch.

    Parameters
    ----------
    history : sequence of four array-likes of shape (epochs,)
        Training losses, training accuracies, validation losses, validation accuracies, as
        ``Trainer.get_training_history()`` returns them; accuracies are fractions.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        Two panels: loss, accuracy.
    """
    names = ("train losses", "train accuracies", "validation losses", "validation accuracies")
    if len(history) != len(names):
        raise ValueError(f"history must hold four lists ({', '.join(names)}), got {len(history)}")
    curves = [_vector(name, values) for name, values in zip(names, history, strict=True)]
    lengths = [len(curve) for curve in curves]
    if len(set(lengths)) > 1:
        raise ValueError(f"history must hold four lists of one length, got lengths {lengths}")
    for name, curve in zip(names[1::2], curves[1::2], strict=True):
        if curve.min() < 0 or curve.max() > 1:
            raise ValueError(f"{name} must lie in [0, 1], got {curve.min():g} to {curve.max():g}")

    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE_WIDTH, 2.9), layout="constrained")
    _draw_epochs(left, curves[0], curves[2], "Cross-entropy loss")
    _draw_epochs(right, curves[1], curves[3], "Accuracy (share of images)")
    if title:
        _title_above(figure, title)
    return figure


# Points and decision boundaries.


def _draw_points(ax: Axes, xy: np.ndarray, signs: np.ndarray) -> None:
    """Draw both classes, by colour and marker, into a square view with equal scales."""
    for sign, (colour, marker) in CLASS_STYLES.items():
        chosen = xy[signs == sign]
        look = {"color": colour, "marker": marker, "s": 46, "edgecolors": BLACK, "linewidths": 0.7}
        ax.scatter(chosen[:, 0], chosen[:, 1], label=CLASS_NAMES[sign], zorder=3, **look)
    centre = (xy.min(axis=0) + xy.max(axis=0)) / 2
    reach = 0.6 * max(np.ptp(xy, axis=0).max(), 1.0)  # half a side, a fifth wider than the data
    ax.set(xlim=centre[0] + [-reach, reach], ylim=centre[1] + [-reach, reach])
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", anchor="W")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(_whole_ticks())


def _ring(ax: Axes, support: np.ndarray) -> None:
    """Put a ring round each support vector."""
    look = {"facecolors": "none", "edgecolors": BLACK, "s": 150, "linewidths": 1.3}
    ax.scatter(support[:, 0], support[:, 1], label="support vectors", zorder=4, **look)


def _legend_beside(ax: Axes, handles: list | None = None) -> None:
    """Put the legend to the right of the axes, clear of the data."""
    if handles is None:
        handles = ax.get_legend_handles_labels()[0]
    look = {"labelspacing": 0.9, "borderaxespad": 0}
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.04, 1.0), **look)


def plot_points(points: ArrayLike, labels: ArrayLike, title: str = "") -> Figure:
    """Plot points of two classes.

    Parameters
    ----------
    points : array-like of shape (N, 2)
        Coordinates x1, x2.
    labels : array-like of shape (N,)
        -1 or +1 for each point.
    title : str
        Title of the plot.

    Returns
    -------
    Figure
    """
    xy, signs = _points_and_labels(points, labels)
    ax = _new_axes(6.0, 4.0)
    _draw_points(ax, xy, signs)
    _legend_beside(ax)
    ax.set_title(title)
    return ax.figure


def _draw_level(ax: Axes, theta: np.ndarray, offset: float, **look) -> None:
    """Draw the line theta . x + offset = 0."""
    foot = -offset * theta / (theta @ theta)  # the point of the line nearest to the origin
    direction = np.array([-theta[1], theta[0]])
    ax.axline(foot, foot + direction, **look)


def plot_svm(
    points: ArrayLike, labels: ArrayLike, theta: ArrayLike, intercept: float, title: str = ""
) -> Figure:
    """Plot a linear support vector machine: both classes, hyperplane, margins, support vectors.

    Parameters
    ----------
    points : array-like of shape (N, 2)
        Coordinates x1, x2.
    labels : array-like of shape (N,)
        -1 or +1 for each point.
    theta : array-like of shape (2,) or (1, 2)
        Normal of the hyperplane theta . x + intercept = 0, scaled so that the margins are -1, +1.
    intercept : float
        Offset; an array of one number, as scikit-learn keeps it, will do.
    title : str
        Title of the plot.

    Returns
    -------
    Figure
    """
    xy, signs = _points_and_labels(points, labels)
    normal = _vector("theta", np.ravel(theta))
    offset = _vector("intercept", np.ravel(intercept))
    if normal.shape != (2,) or not normal.any():
        raise ValueError(f"theta must be two numbers, not both zero, got {normal.tolist()}")
    if offset.shape != (1,):
        raise ValueError(f"intercept must be one number, got {len(offset)}")

    ax = _new_axes(6.0, 4.0)
    _draw_points(ax, xy, signs)
    scores = xy @ normal + offset  # (N,)
    _ring(ax, xy[signs * scores <= 1 + SUPPORT_TOLERANCE])
    width = 2 / np.linalg.norm(normal)
    _draw_level(ax, normal, offset[0], color=BLACK, lw=1.6, label=r"hyperplane $\theta\cdot x+b=0$")
    margin = rf"""margins $\theta\cdot x+b=\pm1$
(width $2/\Vert\theta\Vert$ = {width:.3f})"""
    for side, name in [(-1, margin), (1, None)]:
        _draw_level(ax, normal, offset[0] + side, color=BLACK, ls="--", lw=1.1, label=name)
    _legend_beside(ax)
    ax.set_title(title)
    return ax.figure


def _evaluate_on_grid(
    ax: Axes, decision_function: Callable[[np.ndarray], ArrayLike]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a grid over the view of ax and the decision function on it, each (G, G)."""
    x1, x2 = np.meshgrid(
        np.linspace(*ax.get_xlim(), GRID_SIZE), np.linspace(*ax.get_ylim(), GRID_SIZE)
    )
    grid = np.column_stack([x1.ravel(), x2.ravel()])  # (G * G, 2)
    values = _numbers("decision_function(points)", decision_function(grid))
    if values.shape != (len(grid),):
        raise ValueError(
            f"decision_function must return shape (N,) for points of shape (N, 2), "
            f"got {values.shape} for {grid.shape}"
        )
    return x1, x2, values.reshape(x1.shape)


def _draw_contours(ax: Axes, x1: np.ndarray, x2: np.ndarray, values: np.ndarray) -> list:
    """Shade the negative side, draw the levels -1, 0, +1 that occur; return legend entries."""
    low, high = values.min(), values.max()
    if low < 0:
        ax.contourf(x1, x2, values, levels=[2 * low, 0], colors=[NEGATIVE_SIDE], zorder=0)
    for level, dash, width in [(-1, "--", 1.1), (0, "-", 1.6), (1, "--", 1.1)]:
        if low < level < high:
            look = {"colors": [BLACK], "linestyles": [dash], "linewidths": [width]}
            ax.contour(x1, x2, values, levels=[level], **look)
    return [
        Line2D([], [], color=BLACK, lw=1.6, label="boundary $f(x)=0$"),
        Line2D([], [], color=BLACK, lw=1.1, ls="--", label=r"margins $f(x)=\pm1$"),
        Patch(facecolor=NEGATIVE_SIDE, edgecolor=BLACK, lw=0.5, label="$f(x)<0$"),
    ]


def plot_decision_regions(
    points: ArrayLike,
    labels: ArrayLike,
    decision_function: Callable[[np.ndarray], ArrayLike],
    title: str = "",
) -> Figure:
    """Plot the boundary f(x) = 0 and the margins f(x) = -1, +1 of any decision function f.

    Parameters
    ----------
    points : array-like of shape (N, 2)
        Coordinates x1, x2.
    labels : array-like of shape (N,)
        -1 or +1 for each point.
    decision_function : callable
        Maps points (N, 2) to numbers (N,), negative on the side of class -1; for a feature map phi,
        ``lambda x: svm.decision_function(phi(x))``.
    title : str
        Title of the plot.

    Returns
    -------
    Figure
        Points on or inside the margins are ringed as support vectors.
    """
    xy, signs = _points_and_labels(points, labels)
    if not callable(decision_function):
        raise TypeError(
            f"decision_function must be callable, got {type(decision_function).__name__}"
        )
    ax = _new_axes(6.0, 4.0)
    try:
        _draw_points(ax, xy, signs)
        lines = _draw_contours(ax, *_evaluate_on_grid(ax, decision_function))
    except Exception:
        plt.close(ax.figure)  # no empty figure in the notebook beside the error
        raise
    scores = np.asarray(decision_function(xy), dtype=float)
    _ring(ax, xy[signs * scores <= 1 + SUPPORT_TOLERANCE])
    _legend_beside(ax, ax.get_legend_handles_labels()[0] + lines)
    ax.set_title(title)
    return ax.figure
