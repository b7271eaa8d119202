"""Question 5: what the RNN and the LSTM share.

Read this first, then ``rnn.py`` and ``lstm.py``, which only choose their
hyperparameters and stack their layers. Building, saving, loading, training and
the loss plot are the same for both and live here.

Symbols: N windows, S window length (``max_input_len``), V vocabulary size.

References
----------
Elman, "Finding structure in time", Cognitive Science 14 (1990).
Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9 (1997).
"""

import contextlib
import glob
import hashlib
import json
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from numbers import Integral
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read once, when TensorFlow loads


@contextlib.contextmanager
def _native_errors_unseen() -> Iterator[None]:
    """Send what native code writes to standard error nowhere; Python's errors still come through.

    Whatever the log level, TensorFlow announces on loading that it uses oneDNN.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a process may have no standard error
            saved = os.dup(2)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, 2)
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
        yield


with _native_errors_unseen():
    import tensorflow as tf

WEIGHTS_FOLDER = Path(__file__).resolve().parent / "model_weights"
A_DAY = 86400  # seconds; a training whose best epoch is older is taken for a killed one


class FoldedNet(tf.keras.Sequential):
    """The layers of a next-character net, computed with less arithmetic.

    The embedding of a character, times the kernel of the recurrent layer, is the same
    wherever the character stands. So the two small matrices are multiplied once a batch,
    and each step looks its row up: (V, E) times (E, units) instead of (N S, E) times
    (E, units). The steps of a window follow one another, and so the batch goes in two halves,
    one for each of two cores. Results and gradients differ from those of the plain net by
    rounding only.

    The steps of RMSprop are others, though, where the embedding is concerned. Of its gradient
    Keras makes a row for each of the N S characters of a batch, and RMSprop, which divides by
    the root of a mean square, squares row by row. Here a character has one row, their sum, and
    its square counts, as RMSprop is defined.

    Parameters
    ----------
    net : tf.keras.Sequential
        Built, and of the form that ``folded_last_state`` knows. Layers and weights are
        shared: training this net trains that one.
    """

    def __init__(self, net: tf.keras.Sequential) -> None:
        super().__init__(net.layers)
        self.last_state = folded_last_state(net)
        self.build(net.input_shape)

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Return probabilities (N, V) for windows of character indices (N, S)."""
        embedding, recurrent, dense, softmax = self.layers
        cell = recurrent.cell
        table = tf.matmul(embedding.embeddings, cell.kernel) + cell.bias  # (V, units)
        middle = tf.shape(inputs)[0] // 2
        states = []
        for half in (inputs[:middle], inputs[middle:]):  # each a chain of steps, for a core each
            steps = tf.unstack(tf.gather(table, half), num=inputs.shape[1], axis=1)
            states.append(self.last_state(steps, cell.recurrent_kernel))
        return softmax(dense(tf.concat(states, axis=0)))


def _rnn_last_state(steps: list[tf.Tensor], recurrent_kernel: tf.Variable) -> tf.Tensor:
    """Return h_S of h_t = tanh(z_t + h_{t-1} U), where step z_t is x_t W + b."""
    h = tf.tanh(steps[0])
    for z in steps[1:]:
        h = tf.tanh(z + tf.matmul(h, recurrent_kernel))
    return h


def _lstm_last_state(steps: list[tf.Tensor], recurrent_kernel: tf.Variable) -> tf.Tensor:
    """Return h_S of an LSTM, where step z_t is x_t W + b, in Keras' order i, f, g, o."""
    h, c = None, None
    for z in steps:
        i, f, g, o = tf.split(z if h is None else z + tf.matmul(h, recurrent_kernel), 4, axis=1)
        new = tf.sigmoid(i) * tf.tanh(g)
        c = new if c is None else tf.sigmoid(f) * c + new
        h = tf.sigmoid(o) * tf.tanh(c)
    return h


_LAST_STATE = {tf.keras.layers.SimpleRNN: _rnn_last_state, tf.keras.layers.LSTM: _lstm_last_state}


def folded_last_state(net: tf.keras.Sequential) -> Callable | None:
    """Return the function of a net's recurrent layer, or None if the net cannot be folded.

    Parameters
    ----------
    net : tf.keras.Sequential
        Can be folded if it is an Embedding, a SimpleRNN or an LSTM, a Dense layer and a
        softmax, all of them otherwise at Keras' defaults.

    Returns
    -------
    callable or None
        From a list of S inputs (N, units) and the recurrent kernel to the last state.
    """
    layers = tf.keras.layers
    kinds = [type(layer) for layer in net.layers]
    if len(kinds) != 4 or kinds[1] not in _LAST_STATE:
        return None
    if kinds != [layers.Embedding, kinds[1], layers.Dense, layers.Activation]:
        return None
    embedding, recurrent, dense, _ = net.layers
    plain = (
        layers.Embedding(embedding.input_dim, embedding.output_dim),
        kinds[1](recurrent.units),
        layers.Dense(dense.units),
        layers.Activation("softmax"),
    )
    is_plain = all(
        layer.get_config() | {"name": None} == expected.get_config() | {"name": None}
        for layer, expected in zip(net.layers, plain, strict=True)
    )
    return _LAST_STATE[kinds[1]] if is_plain else None


class BestWeightsCheckpoint(tf.keras.callbacks.ModelCheckpoint):
    """Keep the weights of the epoch with the lowest loss, and only the weights.

    The best weights so far go to a file of their own beside ``filepath`` and take
    its place when training ends, so weights saved by an earlier run survive a
    training that is cut short.

    Parameters
    ----------
    filepath : str
        Where the best weights are when training has ended; ends in ``.weights.h5``.
    """

    def __init__(self, filepath: str) -> None:
        super().__init__(
            filepath, monitor="loss", mode="min", save_best_only=True, save_weights_only=True
        )
        self.unfinished_path = _unfinished(filepath)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Start anew: nothing of an earlier training counts."""
        super().on_train_begin(logs)
        self.best = np.inf
        # once, not at every save: layers never forget a net that is built of them, some 17 kB
        self.net_to_save = _without_optimizer(self.model)
        Path(self.unfinished_path).parent.mkdir(parents=True, exist_ok=True)
        Path(self.unfinished_path).unlink(missing_ok=True)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Save the weights if this epoch's loss is the lowest yet."""
        loss = (logs or {}).get("loss", np.nan)
        if loss < self.best:  # never true of NaN
            self.best = loss
            temporary = _marked(self.unfinished_path, os.getpid())  # a killed save costs nothing
            self.net_to_save.save_weights(temporary)
            os.replace(temporary, self.unfinished_path)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Put the best weights in their final place."""
        super().on_train_end(logs)
        if not np.isfinite(self.best):
            print(f"The loss was never finite: {self.filepath} was left as it was.")
            return
        self.net_to_save.load_weights(self.unfinished_path)
        os.replace(self.unfinished_path, self.filepath)


class _LossRecorder(tf.keras.callbacks.Callback):
    """Append each epoch's loss to a list that outlives an interrupted training.

    At the end they go to a file, with the fingerprint of the weights they belong to, and wait
    there until these are in their final place. What lies in that place makes room then, and not
    before, where it is not to be overwritten: the training may end otherwise.

    Parameters
    ----------
    losses : list of float
        Where the losses go.
    model_name : str
        Whose they are.
    paths : tuple of str
        The final places of the weights and of the losses.
    keep_saved : bool
        Whether files that are there at the end are renamed and not overwritten.
    """

    def __init__(
        self, losses: list[float], model_name: str, paths: tuple[str, str], keep_saved: bool
    ) -> None:
        super().__init__()
        self.losses, self.model_name = losses, model_name
        self.paths, self.keep_saved = paths, keep_saved

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.losses.append(float(logs["loss"]))

    def on_train_end(self, logs: dict | None = None) -> None:
        weights, losses = map(_unfinished, self.paths)
        fingerprint = _fingerprint(weights)
        if fingerprint is None:  # the loss was never finite
            return
        content = {"model": self.model_name, "weights": fingerprint, "losses": self.losses}
        Path(losses).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        for path in self.paths if self.keep_saved else ():
            with contextlib.suppress(FileNotFoundError):
                kept = _free_name(path)
                os.replace(path, kept)
                print(f"What was in {path} is kept in {kept}.")


@contextlib.contextmanager
def _interruptible_between_batches() -> Iterator[tf.keras.callbacks.Callback]:
    """Give a callback that lets Ctrl-C through; it is held back until then, or until the end.

    TensorFlow interrupted as it makes a graph or a tensor may crash, or be of no use afterwards.
    Pressed twice, Ctrl-C acts at once all the same.
    """
    presses = []

    def hold_back(number: int, frame: object) -> None:
        if presses:
            signal.default_int_handler(number, frame)
        presses.append(number)

    def let_through(batch: int | None = None, logs: dict | None = None) -> None:
        if presses:
            raise KeyboardInterrupt

    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    holds_back = is_usual and threading.current_thread() is threading.main_thread()
    if holds_back:
        signal.signal(signal.SIGINT, hold_back)
    try:
        yield tf.keras.callbacks.LambdaCallback(on_train_batch_begin=let_through)
    finally:
        if holds_back:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    let_through()


class BaseSequentialModel:
    """Next-character model with a Keras Sequential net inside.

    A subclass sets ``model_name`` and writes ``set_hyperparameters`` and
    ``define_model``.

    Parameters
    ----------
    vocab_size : int
        V, the number of different characters.
    max_input_len : int
        S, the number of characters the model sees before it predicts the next.

    Attributes
    ----------
    model : tf.keras.Sequential or None
        The net; None until ``build_model`` or ``train``.
    loss_history : dict or None
        ``{"losses": [one float an epoch]}`` once trained or loaded.
    hp : dict
        Hyperparameters.
    """

    model_name = None

    def __init__(self, vocab_size: int, max_input_len: int) -> None:
        self.vocab_size = _positive_int(vocab_size, "vocab_size")
        self.max_input_len = _positive_int(max_input_len, "max_input_len")
        self.model = None
        self.loss_history = None
        self.hp = {}
        self.set_hyperparameters()

    def set_hyperparameters(self) -> None:
        """Fill ``hp``; the subclass says with what."""
        raise NotImplementedError(f"{type(self).__name__} must define set_hyperparameters()")

    def define_model(self) -> tf.keras.Sequential:
        """Return the unbuilt net; the subclass says which layers."""
        raise NotImplementedError(f"{type(self).__name__} must define define_model()")

    def build_model(self) -> None:
        """Define, compile and build the net for windows of S characters.

        Notes
        -----
        RMSprop on the categorical cross-entropy of the next character. The course's
        summary shows the net built for length V; the window length S is what the
        net really reads.
        """
        model = self.define_model()
        model.compile(
            optimizer=tf.keras.optimizers.RMSprop(learning_rate=self.hp["learning_rate"]),
            loss="categorical_crossentropy",
        )
        model.build(input_shape=(None, self.max_input_len))
        self.model = model

    def save_model_path(self) -> str:
        """Return the path of the saved weights, as seen from the working directory."""
        return _seen_from_here(WEIGHTS_FOLDER / f"{self.model_name}_model.weights.h5")

    def save_losses_path(self) -> str:
        """Return the path of the saved loss history, as seen from the working directory."""
        return _seen_from_here(WEIGHTS_FOLDER / f"{self.model_name}_losses.json")

    def get_callbacks(self) -> list[tf.keras.callbacks.Callback]:
        """Return the callbacks of a training.

        Returns
        -------
        list of tf.keras.callbacks.Callback
            A checkpoint of the weights with the lowest loss, and a learning rate cut
            to a fifth whenever the loss has not fallen for an epoch, down to 0.001.
        """
        return [
            BestWeightsCheckpoint(self.save_model_path()),
            tf.keras.callbacks.ReduceLROnPlateau(
                monitor="loss", factor=0.2, patience=1, min_lr=0.001
            ),
        ]

    def train(self, x: ArrayLike, y: ArrayLike, train_from_scratch: bool = False) -> None:
        """Load the saved weights if they fit, else train and save them.

        Parameters
        ----------
        x : array_like of int, shape (N, S)
            Windows of character indices.
        y : array_like of int, shape (N, 1) or (N,)
            Index of the character that follows each window.
        train_from_scratch : bool
            Train anew even if saved weights fit.

        Raises
        ------
        TypeError, ValueError
            If x or y has the wrong type or shape, is empty, or holds an index
            outside the vocabulary.

        Notes
        -----
        Loading changes no file, but that losses which a killed training left waiting take
        their place. What is saved and cannot be used is named, and renamed when new weights
        take its place; only ``train_from_scratch`` overwrites it.
        Ctrl-C is heeded between two batches; pressed twice, at once. An interrupted
        training leaves the net with its weights so far and ``loss_history`` with the
        epochs done; running it again starts anew.
        """
        x = self._checked_indices(x, "x", (self.max_input_len,))
        y = self._checked_indices(np.reshape(y, (-1, 1)) if np.ndim(y) == 1 else y, "y", (1,))
        if len(x) != len(y):
            raise ValueError(f"x and y must have equally many rows, got {len(x)} and {len(y)}")
        self._finish_saving()
        if not train_from_scratch and self._load():
            print(f"Loaded saved {self.model_name} model and weights.")
            return
        self._fit(x, y, keep_saved=not train_from_scratch)

    def plot_loss(self) -> None:
        """Draw the training loss by epoch with matplotlib.

        Raises
        ------
        ValueError
            If there is no loss history: the model was neither trained nor loaded.
        """
        if not self.loss_history or not self.loss_history.get("losses"):
            raise ValueError(
                f"{self.model_name} has no loss history to plot: expected train() to be called "
                f"first, got loss_history = {self.loss_history!r}"
            )
        import matplotlib.pyplot as plt  # a grader may have TensorFlow without matplotlib

        losses = self.loss_history["losses"]
        _, ax = plt.subplots()
        ax.plot(range(1, len(losses) + 1), losses, marker="o")
        ax.set(xlabel="Epoch", ylabel="Training loss (nats per character)")
        ax.set_title(f"{self.model_name} training loss")
        ax.xaxis.get_major_locator().set_params(integer=True)

    def _fit(self, x: np.ndarray, y: np.ndarray, keep_saved: bool) -> None:
        """Train a fresh net on one-hot targets and save weights and losses."""
        _require_writable(Path(self.save_model_path()).parent)
        print(
            f"{self.model_name}: training from scratch now, {self.hp['epochs']} epochs "
            "(minutes for a play; Ctrl-C stops it)."
        )
        targets = np.eye(self.vocab_size, dtype=np.float32)[y[:, 0]]  # (N, V)
        self.loss_history = {"losses": []}
        paths = self.save_model_path(), self.save_losses_path()
        recorder = _LossRecorder(self.loss_history["losses"], self.model_name, paths, keep_saved)
        with _interruptible_between_batches() as interruption:
            self.build_model()
            try:
                self._quickest_net().fit(
                    x,
                    targets,
                    batch_size=self.hp["batch_size"],
                    epochs=self.hp["epochs"],
                    # losses before weights, see _finish_saving
                    callbacks=[interruption, recorder, *self.get_callbacks()],
                    verbose=2,  # a line an epoch: a bar would fill the notebook
                )
            except Exception as error:  # say, a full disk, or a file that another program holds
                best = _unfinished(paths[0])
                if os.path.exists(best):
                    error.add_note(f"The best weights are in {best} until the next training.")
                raise
            self._finish_saving()
        for path in paths:
            _remove_litter(path)

    def _finish_saving(self) -> None:
        """Put losses that wait for their weights in their final place if these are in theirs.

        A training may be killed or interrupted between the two: then the next call does it.
        """
        losses, fingerprint = self.save_losses_path(), _fingerprint(self.save_model_path())
        for waiting in glob.glob(_unfinished(glob.escape(losses), "*")):
            # of damaged ones, or in a read-only folder, nothing comes: what lies there is read
            with contextlib.suppress(*_UNREADABLE):
                if json.loads(Path(waiting).read_text(encoding="utf-8"))["weights"] == fingerprint:
                    os.replace(waiting, losses)

    def _quickest_net(self) -> tf.keras.Sequential:
        """Return the net to train: one with the model's own layers, folded if that can be."""
        # a single step leaves the recurrent kernel without a gradient, which Keras warns of
        if self.max_input_len == 1 or folded_last_state(self.model) is None:
            return self.model
        net = FoldedNet(self.model)
        net.compile(optimizer=self.model.optimizer, loss=self.model.loss)
        return net

    def _load(self) -> bool:
        """Load saved weights and losses; say why and return False if there are none that fit."""
        path = self.save_model_path()
        if not os.path.exists(path):
            print(f"No saved {self.model_name} weights at {path}.")
            return False
        net = self.define_model()  # apart, so that a bad file changes nothing
        net.build(input_shape=(None, self.max_input_len))
        fingerprint = _fingerprint(path)  # before: a training may replace the file in between
        try:
            weights = _read_weights(net, path)
        except Exception as error:  # h5py and Keras raise many kinds for a damaged file
            why = _first_line(error)
            saved = filter(os.path.exists, (path, self.save_losses_path()))
            kept = " and ".join(map(_free_name, saved))
            print(f"{path} could not be read as weights of this {self.model_name} ({why}).")
            print(f"What is saved stays until there are new weights, and is then kept as {kept}.")
            return False
        if self.model is None:
            self.build_model()
        self.model.set_weights(weights)
        self.loss_history = self._read_losses(fingerprint)
        return True

    def _read_losses(self, fingerprint: str | None) -> dict | None:
        """Return the history of the weights of a fingerprint, or None with a word on what is wrong.

        A file that tells no fingerprint is taken for that of the weights beside it.
        """
        path = self.save_losses_path()
        if not os.path.exists(path):
            print(f"No saved {self.model_name} loss history at {path}.")
            return None
        try:
            saved = json.loads(Path(path).read_text(encoding="utf-8"))
            if saved.get("model", self.model_name) != self.model_name:
                raise ValueError(f"expected the losses of {self.model_name}, got another model's")
            if saved.get("weights", fingerprint) != fingerprint:
                raise ValueError("expected the losses of the weights beside it, got others")
            losses = _checked_losses(saved["losses"])
        except _UNREADABLE as error:
            why = _first_line(error)
            print(f"{path} could not be read as losses of this {self.model_name} ({why}).")
            return None
        return {"losses": losses}

    def _checked_indices(
        self, values: ArrayLike, name: str, row_shape: tuple[int, ...]
    ) -> np.ndarray:
        """Return values as an int array of rows of row_shape within the vocabulary."""
        array = np.asarray(values)
        if not (np.issubdtype(array.dtype, np.integer) or _is_whole(array)):
            raise TypeError(f"{name} must hold whole character indices, got dtype {array.dtype}")
        if array.shape[1:] != row_shape or len(array) == 0:
            expected = ("N", *row_shape)
            raise ValueError(f"{name} must have shape {expected}, N > 0, got {array.shape}")
        if array.min() < 0 or array.max() >= self.vocab_size:
            raise ValueError(
                f"{name} must hold indices from 0 to {self.vocab_size - 1}, "
                f"got {array.min()} to {array.max()}"
            )
        return array.astype(np.int32)


def _read_weights(net: tf.keras.Sequential, path: str) -> list[np.ndarray]:
    """Return the arrays of a file, read into a built net that they have to fit."""
    net.load_weights(path)
    weights = net.get_weights()
    if not all(np.isfinite(array).all() for array in weights):
        raise ValueError("expected finite weights, got NaN or infinity")
    return weights


def _without_optimizer(model: tf.keras.Sequential) -> tf.keras.Sequential:
    """Return a net of the same layers that was never compiled: it has only weights to save."""
    bare = tf.keras.Sequential(model.layers)
    bare.build(model.input_shape)
    return bare


def _unfinished(path: str, process: str | None = None) -> str:
    """Return where a training of this process keeps what it puts at path at its end.

    Trainings of two processes at once so do not meet before they end, and the later one is
    what stays. For ``process`` "*" it is a pattern of the names of all processes.
    """
    return _marked(path, f"unfinished-{process or f'{platform.node()}-{os.getpid()}'}")


def _marked(path: str, mark: object) -> str:
    """Return path with a mark at its end, but before the ``.weights.h5`` that Keras asks for."""
    stem = path.removesuffix(".weights.h5")
    return f"{stem}.{mark}{path[len(stem) :]}"


def _remove_litter(path: str) -> None:
    """Remove what trainings that were killed have left of what was to be put at path."""
    for left in glob.glob(_unfinished(glob.escape(path), "*")):
        with contextlib.suppress(OSError):  # another process may have been quicker
            if time.time() - os.path.getmtime(left) > A_DAY:
                os.remove(left)


def _fingerprint(path: str) -> str | None:
    """Return the SHA-256 of a file in hexadecimal, or None if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None


# what reading JSON raises: no permission, bad text, bad JSON, JSON too deep, a number too large
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
    OverflowError,
)


def _checked_losses(losses: object) -> list[float]:
    """Return losses as floats if they are a list of numbers, at least one of them finite."""
    if np.ndim(losses) != 1 or not np.isfinite(np.array(losses, dtype=float)).any():
        raise ValueError("expected a list of losses, at least one of them finite")
    return [float(loss) for loss in losses]


def _require_writable(folder: Path) -> None:
    """Raise before a training, not after it, where its weights could not be saved."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PermissionError(f"{folder} cannot be made ({error.strerror})") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} must be writable, or trained weights cannot be saved")


def _free_name(path: str) -> str:
    """Return the first of ``path.earlier-1``, ``-2``, ... that is free."""
    number = 1
    while os.path.lexists(f"{path}.earlier-{number}"):
        number += 1
    return f"{path}.earlier-{number}"


def _seen_from_here(path: str) -> str:
    """Return path relative to the working directory where that is possible."""
    try:
        return os.path.relpath(path)
    except ValueError:  # another drive on Windows
        return str(path)


def _first_line(error: Exception) -> str:
    """Return an exception in one short line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:120].rstrip(".:")


def _positive_int(value: object, name: str) -> int:
    """Return value as an int if it is a positive whole number."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a positive integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value}")
    return int(value)


def _is_whole(array: np.ndarray) -> bool:
    """Tell whether a float array holds only whole numbers."""
    return np.issubdtype(array.dtype, np.floating) and bool(np.all(array == np.floor(array)))
