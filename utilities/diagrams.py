"""The four diagrams of the notebook, drawn by code: net of Q1, CNN of Q2, RNN and LSTM cell of Q5.

Read in this order: the pens (box, circle, arrow, label), then one function for each diagram, then
`save_all`. ``python -m utilities.diagrams`` writes the PNG files into data/images.

One unit of every drawing is one inch on paper, so a box at (1.0, 2.0) lies an inch from the left
edge. Fills are light and only group what belongs together; names, borders and symbols carry the
meaning, so that nothing is lost on a grey print. The same code gives the same bytes: no date and no
version goes into the files, and the user's own plot style does not matter.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from PIL import Image

Point = tuple[float, float]

IMAGES = Path(__file__).resolve().parent.parent / "data" / "images"
DPI = 200
N_COLOURS = 64  # a palette of few colours makes the files half as large
INK = "#1A1A1A"
WHITE, GREY, BLUE, ORANGE, GREEN = "#FFFFFF", "#EFEFEF", "#DCEAF5", "#F3CB90", "#C0E2D3"
SMALL, NORMAL, LARGE = 8.0, 9.0, 10.0  # points; nothing is printed smaller
DOTS = "\N{VERTICAL ELLIPSIS}"


# Pens.


def _in_default_style(draw: Callable) -> Callable:
    """Run a function under matplotlib's default settings, whatever the user has set."""

    @wraps(draw)
    def drawn(*args, **kwargs):
        with matplotlib.style.context("default"):
            return draw(*args, **kwargs)

    return drawn


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a blank figure whose axes measure in inches from the lower left corner."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=WHITE)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.axis("off")
    return figure, ax


def _label(ax: Axes, at: Point, text: str, size: float = NORMAL, **look) -> None:
    """Write text, centred unless told otherwise."""
    ax.text(*at, text, **{"size": size, "ha": "center", "va": "center", "color": INK} | look)


def _box(ax: Axes, centre: Point, size: Point, text: str = "", fill: str = WHITE, **look) -> None:
    """Draw a box with text in its middle."""
    corner = (centre[0] - size[0] / 2, centre[1] - size[1] / 2)
    style = {"boxstyle": "round,pad=0,rounding_size=0.05", "fc": fill, "ec": INK, "lw": 0.9}
    fontsize = look.pop("fontsize", NORMAL)
    ax.add_patch(FancyBboxPatch(corner, *size, **{**style, "zorder": 2, **look}))
    if text:
        _label(ax, centre, text, fontsize, zorder=4)


def _circle(ax: Axes, centre: Point, text: str = "", fill: str = WHITE, **look) -> None:
    """Draw a circle, a neuron or an operator, with text in its middle."""
    radius = look.pop("radius", 0.15)
    size = look.pop("fontsize", SMALL)
    ax.add_patch(Circle(centre, radius, **{"fc": fill, "ec": INK, "lw": 0.9, "zorder": 3} | look))
    _label(ax, centre, text, size, zorder=4)


def _line(ax: Axes, *points: Point, **look) -> None:
    """Draw straight segments from point to point."""
    style = {"color": INK, "lw": 1.0, "zorder": 1, "solid_joinstyle": "miter"}
    look = {**style, "solid_capstyle": "projecting", **look}  # closes the corner before an arrow
    ax.plot(*zip(*points, strict=True), **look)


def _arrow(ax: Axes, *points: Point, **look) -> None:
    """Draw straight segments from point to point with an arrow head that ends at the last."""
    if len(points) > 2:
        _line(ax, *points[:-1])
    head = {"arrowstyle": "-|>", "mutation_scale": 8, "shrinkA": 0, "shrinkB": 0}
    look = {"color": INK, "lw": 1.0, "zorder": 1, "joinstyle": "miter"} | head | look
    ax.add_patch(FancyArrowPatch(points[-2], points[-1], **look))


def _fork(ax: Axes, at: Point) -> None:
    """Mark a point where a line branches."""
    ax.add_patch(Circle(at, 0.035, fc=INK, ec=INK, zorder=3))


def _title(ax: Axes, at: Point, text: str) -> None:
    """Write a heading that begins at a point."""
    _label(ax, at, text, LARGE, ha="left", weight="bold")


# Q1: the two-layer net.

NEURON = 0.19  # radius
NET_X = {"input": 0.55, "hidden 1": 2.25, "dropout": 3.2, "hidden 2": 4.75, "output": 6.34}
FIVE, FOUR, THREE = (3.1, 2.6, 2.1, 1.6, 1.1), (2.9, 2.35, 1.85, 1.3), (2.7, 2.1, 1.5)
NET_LAYERS = (  # where, heights, names of the neurons, fill, title, size, formulas
    (
        "input",
        FIVE,
        ("$x_1$", "$x_2$", "$x_3$", DOTS, "$x_8$"),
        WHITE,
        "Input",
        "$M = 8$ features",
        "$X$\n$(N, 8)$",
    ),
    (
        "hidden 1",
        FIVE,
        ("1", "2", "3", DOTS, "15"),
        BLUE,
        "Hidden layer 1",
        "$K = 15$, SiLU",
        "$u_1 = X\\theta_1 + b_1$\n$o_1 =$dropout(SiLU($u_1$))\n$(N, 15)$",
    ),
    (
        "hidden 2",
        FOUR,
        ("1", "2", DOTS, "7"),
        BLUE,
        "Hidden layer 2",
        "$R = 7$, SiLU",
        "$u_2 = o_1\\theta_2 + b_2$\n$o_2 =$SiLU($u_2$)\n$(N, 7)$",
    ),
    (
        "output",
        THREE,
        (r"$\hat{y}_1$", r"$\hat{y}_2$", r"$\hat{y}_3$"),
        GREEN,
        "Output",
        "$D = 3$, softmax",
        "$u_3 = o_2\\theta_3 + b_3$\n$o_3 =$softmax($u_3$)\n$(N, 3)$",
    ),
)


def _layer(ax: Axes, x: float, heights: Sequence[float], names: Sequence[str], fill: str) -> None:
    """Draw one layer: a neuron at each height, dots where the name is DOTS."""
    for y, name in zip(heights, names, strict=True):
        if name == DOTS:
            _label(ax, (x, y), DOTS, 14)
        else:
            _circle(ax, (x, y), name, fill, radius=NEURON)


def _connect(ax: Axes, starts: Sequence[Point], ends: Sequence[Point]) -> None:
    """Draw a line from every start to every end, for a fully connected layer."""
    for start in starts:
        for end in ends:
            _line(ax, start, end, lw=0.5, color="#777777", zorder=0)


def _dropout_bar(ax: Axes, heights: Sequence[float], dropped: float) -> list[Point]:
    """Draw the bar that switches one output of hidden layer 1 off; return where the rest leave."""
    x, half = NET_X["dropout"], 0.17
    _box(ax, (x, 2.1), (2 * half, 2.5), fill=GREY, ls=(0, (4, 2)))
    _label(ax, (x, 1.6), "dropout", SMALL, rotation=90, zorder=4)
    for y in heights:
        _arrow(ax, (NET_X["hidden 1"] + NEURON, y), (x - half, y))
        if y == dropped:
            _label(ax, (x, y), r"$\times$", 15, zorder=4)
        else:
            _line(ax, (x - half, y), (x + half, y), zorder=3)
    return [(x + half, y) for y in heights if y != dropped]


def _net_edges(ax: Axes) -> None:
    """Draw the connections between the layers, through the dropout bar after the first."""
    wide, narrow = [FIVE[i] for i in (0, 1, 2, 4)], [FOUR[i] for i in (0, 1, 3)]
    before = {name: x - NEURON for name, x in NET_X.items()}
    after = {name: x + NEURON for name, x in NET_X.items()}
    _connect(ax, [(after["input"], y) for y in wide], [(before["hidden 1"], y) for y in wide])
    kept = _dropout_bar(ax, wide, dropped=FIVE[1])
    _connect(ax, kept, [(before["hidden 2"], y) for y in narrow])
    leaving = [(after["hidden 2"], y) for y in narrow]
    _connect(ax, leaving, [(before["output"], y) for y in THREE])


@_in_default_style
def draw_two_layer_net() -> Figure:
    """Draw the net of Q1, 8-15-7-3: SiLU and dropout, SiLU, softmax.

    Returns
    -------
    Figure
        Wide layers are drawn in part; labels give the true sizes.
    """
    figure, ax = _canvas(7.0, 4.1)
    ax.set_ylim(0.13, 4.23)
    _net_edges(ax)
    for where, heights, names, fill, title, size, formulas in NET_LAYERS:
        x = NET_X[where]
        _layer(ax, x, heights, names, fill)
        _label(ax, (x, 4.08), title, LARGE, weight="bold")
        _label(ax, (x, 3.87), size, SMALL)
        at = (x + (0.25 if where == "hidden 1" else 0), 0.7)  # clear of the dropout bar's foot
        _label(ax, at, formulas, SMALL, va="top", linespacing=1.5)
    weights = (
        (1.4, "$\\theta_1$ (8, 15)\n$b_1$ (15,)"),
        (NET_X["dropout"], "$p = 0.3$\ntraining only"),
        (4.0, "$\\theta_2$ (15, 7)\n$b_2$ (7,)"),
        (5.545, "$\\theta_3$ (7, 3)\n$b_3$ (3,)"),
    )
    for x, text in weights:
        _label(ax, (x, 3.53), text, SMALL, linespacing=1.4)
    return figure


# Q2: the convolutional net.

COLUMN, BOX_WIDTH, BOX_HEIGHT = 1.34, 1.08, 0.8  # inches
CNN_ROWS = (  # name, details, shape of the output, parameters, fill
    (
        ("Image", ("grey, 28 x 28",), "1 x 28 x 28", 0, WHITE),
        ("Conv 3 x 3", ("1 → 8", "LeakyReLU(0.01)"), "8 x 28 x 28", 80, BLUE),
        ("Conv 3 x 3", ("8 → 32", "LeakyReLU(0.01)"), "32 x 28 x 28", 2_336, BLUE),
        ("Max pool", ("2 x 2",), "32 x 14 x 14", 0, ORANGE),
        ("Dropout", ("p = 0.2",), "32 x 14 x 14", 0, GREY),
    ),
    (
        ("Conv 3 x 3", ("32 → 32", "LeakyReLU(0.01)"), "32 x 14 x 14", 9_248, BLUE),
        ("Conv 3 x 3", ("32 → 64", "LeakyReLU(0.01)"), "64 x 14 x 14", 18_496, BLUE),
        ("Max pool", ("2 x 2",), "64 x 7 x 7", 0, ORANGE),
        ("Dropout", ("p = 0.2",), "64 x 7 x 7", 0, GREY),
        ("Average pool", ("adaptive", "to 7 x 7"), "64 x 7 x 7", 0, ORANGE),
    ),
    (
        ("Flatten", ("64 · 7 · 7",), "3136", 0, WHITE),
        ("Linear", ("3136 → 256", "LeakyReLU(0.01)", "dropout 0.2"), "256", 803_072, GREEN),
        ("Linear", ("256 → 128", "LeakyReLU(0.01)", "dropout 0.2"), "128", 32_896, GREEN),
        ("Linear", ("128 → 10",), "10", 1_290, GREEN),
        ("Logits", ("one for each", "of the 10 classes"), "", 0, WHITE),
    ),
)
CNN_NOTES = (
    "Below each box: shape of its output (channels x height x width), then its parameters. Every",
    "convolution pads by 1. In all: 30,160 (feature_extractor) + 837,258 (classifier) = 867,418.",
)


def _times(text: str) -> str:
    """Return text with a proper multiplication sign."""
    return text.replace(" x ", " \N{MULTIPLICATION SIGN} ")


def _stage(ax: Axes, centre: Point, stage: tuple) -> None:
    """Draw one step of the CNN: a box with its details, output shape and parameters below."""
    name, details, shape, n_parameters, fill = stage
    x, y = centre
    _box(ax, centre, (BOX_WIDTH, BOX_HEIGHT), fill=fill)
    pitch = 0.175
    top = y + pitch * len(details) / 2
    _label(ax, (x, top), _times(name), weight="bold", zorder=4)
    for index, detail in enumerate(details, start=1):
        _label(ax, (x, top - pitch * index), _times(detail), SMALL, zorder=4)
    _label(ax, (x, y - BOX_HEIGHT / 2 - 0.12), _times(shape), SMALL)
    if n_parameters:
        _label(ax, (x, y - BOX_HEIGHT / 2 - 0.27), f"{n_parameters:,} parameters", SMALL)


def _span(ax: Axes, y: float, first: int, last: int, name: str) -> None:
    """Draw a bracket over the columns first to last and write a name on it."""
    left = _column(first) - BOX_WIDTH / 2
    right = _column(last) + BOX_WIDTH / 2
    low, high = y + BOX_HEIGHT / 2 + 0.06, y + BOX_HEIGHT / 2 + 0.13
    _line(ax, (left, low), (left, high), (right, high), (right, low), lw=0.8)
    _label(ax, ((left + right) / 2, high + 0.1), name, SMALL, family="monospace")


def _column(index: int) -> float:
    """Return the middle of a column of the CNN diagram."""
    return 0.82 + COLUMN * index


def _next_row(ax: Axes, start: float, end: float) -> None:
    """Lead the arrow from the last box of one row to the first box of the next."""
    right, left = _column(4) + BOX_WIDTH / 2, _column(0) - BOX_WIDTH / 2
    turn = end + BOX_HEIGHT / 2 + 0.43
    outside = [(right, start), (right + 0.14, start), (right + 0.14, turn)]
    _arrow(ax, *outside, (left - 0.16, turn), (left - 0.16, end), (left, end))


@_in_default_style
def draw_cnn() -> Figure:
    """Draw the CNN of Q2 from the image to ten logits, with the shape after every step.

    Returns
    -------
    Figure
        Three rows of five boxes, to be read like lines of text.
    """
    figure, ax = _canvas(7.0, 5.3)
    heights = (4.56, 2.91, 1.26)
    for y, row in zip(heights, CNN_ROWS, strict=True):
        for index, stage in enumerate(row):
            _stage(ax, (_column(index), y), stage)
        for index in range(len(row) - 1):
            start = (_column(index) + BOX_WIDTH / 2, y)
            _arrow(ax, start, (_column(index + 1) - BOX_WIDTH / 2, y))
    _next_row(ax, heights[0], heights[1])
    _next_row(ax, heights[1], heights[2])
    _span(ax, heights[0], 1, 4, "feature_extractor")
    _span(ax, heights[1], 0, 3, "feature_extractor, continued")
    _span(ax, heights[1], 4, 4, "avg_pooling")
    _span(ax, heights[2], 1, 3, "classifier")
    for y, note in zip((0.34, 0.15), CNN_NOTES, strict=True):
        _label(ax, (_column(0) - BOX_WIDTH / 2, y), _times(note), SMALL, ha="left")
    return figure


# Q5: the recurrent cells.


def _rnn_step(ax: Axes) -> None:
    """Draw the inside of the simple RNN cell."""
    y = 1.9
    _box(ax, (1.72, y), (2.16, 1.5), fill=GREY, zorder=-1)
    _label(ax, (0.25, y), "$h_{t-1}$", LARGE)
    _box(ax, (1.02, y), (0.42, 0.34), "$W_h$", BLUE)
    _circle(ax, (1.66, y), "$+$", fontsize=LARGE)
    _box(ax, (2.26, y), (0.5, 0.34), "tanh", ORANGE)
    _arrow(ax, (0.46, y), (0.81, y))
    _arrow(ax, (1.23, y), (1.51, y))
    _arrow(ax, (1.81, y), (2.01, y))
    _arrow(ax, (2.51, y), (3.12, y))
    _label(ax, (3.28, y), "$h_t$", LARGE)

    _label(ax, (1.66, 0.78), "$x_t$", LARGE)
    _arrow(ax, (1.66, 0.92), (1.66, 1.24))
    _box(ax, (1.66, 1.41), (0.42, 0.34), "$W_x$", BLUE)
    _arrow(ax, (1.66, 1.58), (1.66, y - 0.15))
    _label(ax, (1.66, 2.47), "$b$", LARGE)
    _arrow(ax, (1.66, 2.37), (1.66, y + 0.15))


def _rnn_over_time(ax: Axes) -> None:
    """Draw the simple RNN cell at the first, second and last step of a window."""
    y, cells, half, dots = 1.9, (4.48, 5.2, 6.42), 0.22, 5.75
    for x, step in zip(cells, ("1", "2", "S"), strict=True):
        _box(ax, (x, y), (2 * half, 0.5), "cell", GREY, fontsize=SMALL)
        _label(ax, (x, 0.78), f"$x_{step}$", LARGE)
        _arrow(ax, (x, 0.92), (x, y - 0.25))
    _label(ax, (3.65, y), "$h_0 = 0$", NORMAL, ha="left")
    _label(ax, (dots, y), DOTS, 12, rotation=90)
    _label(ax, (dots, 0.78), DOTS, 12, rotation=90)
    for start, end in [
        (4.08, cells[0] - half),
        (cells[0] + half, cells[1] - half),
        (cells[1] + half, dots - 0.12),
        (dots + 0.12, cells[2] - half),
    ]:
        _arrow(ax, (start, y), (end, y))
    for x, name in [(4.83, "$h_1$"), (5.53, "$h_2$"), (6.0, "$h_{S-1}$")]:
        _label(ax, (x, y + 0.13), name, SMALL)
    _arrow(ax, (cells[2], y + 0.25), (cells[2], 2.53))
    _label(ax, (cells[2] + 0.14, 2.34), "$h_S$", SMALL)
    _box(ax, (cells[2], 2.7), (1.0, 0.34), "Dense, softmax", GREEN, fontsize=SMALL)
    _arrow(ax, (cells[2] - 0.5, 2.7), (5.6, 2.7))
    _label(ax, (5.54, 2.7), r"$\hat{y}$: next character", NORMAL, ha="right")


@_in_default_style
def draw_rnn_cell() -> Figure:
    """Draw the simple RNN cell of Q5 and its unrolling over a window of S characters.

    Returns
    -------
    Figure
        Left one step, right the steps in a row with the prediction at the end.
    """
    figure, ax = _canvas(7.0, 3.2)
    _title(ax, (0.1, 3.02), "One step")
    _title(ax, (3.65, 3.02), "Unrolled over time")
    _rnn_step(ax)
    _rnn_over_time(ax)
    equation = r"$h_t = \tanh(W_x\, x_t + W_h\, h_{t-1} + b)$"
    _label(ax, (0.1, 0.32), equation, LARGE, ha="left")
    _label(ax, (3.65, 0.32), "The same $W_x$, $W_h$, $b$ in every step;", NORMAL, ha="left")
    _label(ax, (3.65, 0.13), "here a window of $S = 30$ characters.", NORMAL, ha="left")
    return figure


LSTM_GATES = (
    (1.6, r"$\sigma$", "forget"),
    (2.6, r"$\sigma$", "input"),
    (3.65, "tanh", "candidate"),
    (4.6, r"$\sigma$", "output"),
)
LSTM_EQUATIONS = (
    (
        r"$f_t = \sigma(W_f\,[h_{t-1}, x_t] + b_f)$",
        r"$i_t = \sigma(W_i\,[h_{t-1}, x_t] + b_i)$",
        r"$o_t = \sigma(W_o\,[h_{t-1}, x_t] + b_o)$",
    ),
    (
        r"$\tilde{c}_t = \tanh(W_c\,[h_{t-1}, x_t] + b_c)$",
        r"$c_t = f_t \odot c_{t-1} + i_t \odot \tilde{c}_t$",
        r"$h_t = o_t \odot \tanh(c_t)$",
    ),
)


def _lstm_gates(ax: Axes, bus: float, gate: float) -> None:
    """Draw the four layers of the LSTM cell, all fed by the joined inputs."""
    last = LSTM_GATES[-1][0]
    _label(ax, (0.28, bus), "$h_{t-1}$", LARGE)
    _line(ax, (0.5, bus), (last, bus))
    _label(ax, (1.05, 1.22), "$x_t$", LARGE)
    _line(ax, (1.05, 1.35), (1.05, bus))
    _fork(ax, (1.05, bus))
    for x, function, name in LSTM_GATES:
        if x < last:
            _fork(ax, (x, bus))
        _arrow(ax, (x, bus), (x, gate - 0.21))
        fill = ORANGE if function == "tanh" else BLUE
        _box(ax, (x, gate), (0.74, 0.42), fill=fill)
        _label(ax, (x, gate + 0.09), function, LARGE, zorder=4)
        _label(ax, (x, gate - 0.1), name, SMALL, zorder=4)


def _lstm_state(ax: Axes, line: float, gate: float) -> None:
    """Draw the line of the cell state: forget, then add what the input gate lets in."""
    top, middle, join = gate + 0.21, 3.1, 3.125
    forget, let_in, candidate, _ = (x for x, _, _ in LSTM_GATES)
    _label(ax, (0.28, line), "$c_{t-1}$", LARGE)
    _arrow(ax, (0.5, line), (forget - 0.15, line), lw=1.8)
    _arrow(ax, (forget + 0.15, line), (join - 0.15, line), lw=1.8)
    _arrow(ax, (join + 0.15, line), (6.5, line), lw=1.8)
    _label(ax, (6.68, line), "$c_t$", LARGE)
    _circle(ax, (forget, line), r"$\times$", fontsize=LARGE)
    _circle(ax, (join, line), "$+$", fontsize=LARGE)
    _circle(ax, (join, middle), r"$\times$", fontsize=LARGE)
    _arrow(ax, (forget, top), (forget, line - 0.15))
    _arrow(ax, (let_in, top), (let_in, middle), (join - 0.15, middle))
    _arrow(ax, (candidate, top), (candidate, middle), (join + 0.15, middle))
    _arrow(ax, (join, middle + 0.15), (join, line - 0.15))
    names = [(forget, "$f_t$"), (let_in, "$i_t$"), (candidate, r"$\tilde{c}_t$")]
    for x, name in names:
        _label(ax, (x + 0.14, top + 0.16), name, NORMAL)


def _lstm_output(ax: Axes, line: float, bus: float, gate: float) -> None:
    """Draw how the output gate turns the cell state into the hidden state."""
    x, out, product = 5.3, LSTM_GATES[-1][0], 2.86
    _fork(ax, (x, line))
    _arrow(ax, (x, line), (x, 3.5))
    _box(ax, (x, 3.34), (0.5, 0.32), "tanh", ORANGE)
    _arrow(ax, (x, 3.18), (x, product + 0.15))
    _circle(ax, (x, product), r"$\times$", fontsize=LARGE)
    _arrow(ax, (out, gate + 0.21), (out, product), (x - 0.15, product))
    _label(ax, (out + 0.16, gate + 0.33), "$o_t$", NORMAL)
    _arrow(ax, (x, product - 0.15), (x, bus), (6.5, bus))
    _label(ax, (6.68, bus), "$h_t$", LARGE)


@_in_default_style
def draw_lstm_cell() -> Figure:
    """Draw the LSTM cell of Q5: four layers, the line of the cell state, and the equations.

    Returns
    -------
    Figure
    """
    figure, ax = _canvas(7.0, 4.5)
    line, bus, gate = 3.95, 1.85, 2.4
    _box(ax, (3.45, 2.95), (5.4, 2.8), fill="#F6F6F6", zorder=-1)
    _lstm_gates(ax, bus, gate)
    _lstm_state(ax, line, gate)
    _lstm_output(ax, line, bus, gate)
    _label(ax, (5.74, line + 0.15), "cell state", SMALL)
    _label(ax, (5.74, bus + 0.13), "hidden state", SMALL)
    for x, equations in zip((1.25, 4.05), LSTM_EQUATIONS, strict=True):
        for y, equation in zip((0.98, 0.73, 0.48), equations, strict=True):
            _label(ax, (x, y), equation, NORMAL, ha="left")
    note = r"Circles work element by element ($\times$ is $\odot$); $[h_{t-1}, x_t]$ joins vectors."
    _label(ax, (3.5, 0.16), note, SMALL)
    return figure


# Files.

DIAGRAMS = {
    "two_layer_net": draw_two_layer_net,
    "cnn": draw_cnn,
    "rnn_cell": draw_rnn_cell,
    "lstm_cell": draw_lstm_cell,
}


@_in_default_style
def _png(figure: Figure) -> bytes:
    """Return a figure as a PNG file of few colours that names no date and no version."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    buffer = io.BytesIO()
    image.quantize(N_COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", dpi=(DPI, DPI))
    return buffer.getvalue()


def save_all(folder: str | os.PathLike = IMAGES) -> list[Path]:
    """Draw all diagrams and write them as PNG files.

    Parameters
    ----------
    folder : str or path-like
        Where to write; made if missing.

    Returns
    -------
    list of Path
        The files written.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise ValueError(f"folder must be a directory, got the file {target}")
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in DIAGRAMS.items():
        path = target / f"{name}.png"
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(_png(draw()))
        unfinished.replace(path)  # whole or not at all
        paths.append(path)
    return paths


if __name__ == "__main__":
    for written in save_all():
        print(f"wrote {os.path.relpath(written)}")
