"""Question 2.1.3: training the convolutional net, and asking it.

``Trainer`` is what the notebook calls. ``MemoryLoader`` feeds it: a data set, or a part of
one, that lies in memory as one uint8 tensor is transformed a batch at a time instead of an
image at a time, each image still with its own flip and its own angle; any other data set
goes through PyTorch's DataLoader. ``Muon`` trains the weight matrices of the hidden layers,
and needs fewer epochs than AdamW, which trains the rest.

Symbols: N images, H and W height and width, B batch size.

References
----------
Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024,
https://kellerjordan.github.io/posts/muon/.
Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
Szegedy et al., "Rethinking the Inception architecture for computer vision" (label
smoothing), arXiv 1512.00567 (2015).
Smith and Topin, "Super-convergence: very fast training of neural networks using large
learning rates", arXiv 1708.07120 (2017).
Zhang et al., "Why gradient clipping accelerates training", arXiv 1905.11881 (2019).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from numbers import Integral, Real

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.datasets import MNIST
from torchvision.transforms import InterpolationMode, v2
from tqdm import tqdm

Batch = tuple[torch.Tensor, torch.Tensor]  # images, labels

EVALUATION_BATCH = 500
MAX_GRADIENT_NORM = 1.0
LABEL_SMOOTHING = 0.05
WARM_UP = 0.05  # share of the training in which the learning rate rises
WEIGHT_DECAY = 0.01
SHOW_EVERY = 20  # batches between two figures beside the progress bar
MUON_RATE = 2.5  # learning rate of Muon, in units of AdamW's
MUON_MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # from Jordan et al.: fast from 0 to about 1
NEWTON_SCHULZ_STEPS = 3
NEAREST = (InterpolationMode.NEAREST, "nearest", 0)  # as torchvision's versions put it
SMALLEST_NORM = 1e-7  # a gradient of zeros stays one


def rotate(images: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Turn each image about its centre, counter-clockwise, black coming in at the corners.

    Parameters
    ----------
    images : torch.Tensor of float, shape (B, 1, H, W)
    angles : torch.Tensor of float, shape (B,)
        In degrees.

    Returns
    -------
    torch.Tensor, shape (B, 1, H, W)
        Each pixel is the nearest one of the image that was turned.
    """
    height, width = images.shape[-2:]
    cos, sin = torch.cos(torch.deg2rad(angles)), torch.sin(torch.deg2rad(angles))
    theta = images.new_zeros(len(images), 2, 3)  # where each pixel comes from
    theta[:, 0, 0], theta[:, 0, 1] = cos, -sin * height / width
    theta[:, 1, 0], theta[:, 1, 1] = sin * width / height, cos
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="nearest", align_corners=False)


def rotate_some(images: torch.Tensor, degrees: Sequence[float], p: float) -> torch.Tensor:
    """Turn each image with probability p, by its own uniformly drawn angle.

    Parameters
    ----------
    images : torch.Tensor of float, shape (B, 1, H, W)
        Changed in place.
    degrees : sequence of two floats
        Smallest and largest angle.
    p : float

    Returns
    -------
    torch.Tensor, shape (B, 1, H, W)
    """
    chosen = (torch.rand(len(images), device=images.device) < p).nonzero().squeeze(1)
    if len(chosen) == 0:
        return images
    low, high = degrees
    angles = torch.empty(len(chosen), device=images.device).uniform_(low, high)
    images[chosen] = rotate(images[chosen], angles)
    return images


def flip_some(images: torch.Tensor, p: float) -> torch.Tensor:
    """Mirror each image left to right with probability p.

    Parameters
    ----------
    images : torch.Tensor, shape (B, 1, H, W)
    p : float

    Returns
    -------
    torch.Tensor, shape (B, 1, H, W)
    """
    chosen = torch.rand(len(images), device=images.device) < p
    return torch.where(chosen[:, None, None, None], images.flip(-1), images)


def batch_transform(transform: Callable) -> Callable | None:
    """Return the batch form of a chain of transformations, or None if it has none.

    Parameters
    ----------
    transform : v2.Compose
        Of ToImage, ToDtype(float32, scale=True), Normalize, RandomHorizontalFlip and
        RandomApply([RandomRotation]), in any order that converts first.

    Returns
    -------
    callable or None
        From uint8 (B, 1, H, W) to float32 (B, 1, H, W); every image is drawn for apart,
        with the probabilities of ``transform``.
    """
    if not isinstance(transform, v2.Compose):
        return None
    steps = [_batch_step(step) for step in transform.transforms]
    converts_first = [type(step) for step in transform.transforms[:2]] == [v2.ToImage, v2.ToDtype]
    if not converts_first or None in steps:
        return None
    return partial(_apply_all, steps)


def _apply_all(steps: list[Callable], images: torch.Tensor) -> torch.Tensor:
    for step in steps:
        images = step(images)
    return images


def _batch_step(step: nn.Module) -> Callable | None:
    """Return the batch form of one transformation, or None if it is not a known one."""
    if type(step) is v2.ToImage:
        return torch.as_tensor
    is_to_unit_range = type(step) is v2.ToDtype and step.dtype == torch.float32 and step.scale
    if is_to_unit_range or type(step) is v2.Normalize:
        return step  # they take batches as well
    if type(step) is v2.RandomHorizontalFlip:
        return partial(flip_some, p=step.p)
    if type(step) is v2.RandomApply and len(step.transforms) == 1:
        inner = step.transforms[0]
        if type(inner) is v2.RandomRotation and _is_plain_rotation(inner):
            return partial(rotate_some, degrees=inner.degrees, p=step.p)
    return None


def _is_plain_rotation(rotation: v2.RandomRotation) -> bool:
    return (
        rotation.interpolation in NEAREST
        and not rotation.expand
        and rotation.center is None
        and not rotation.fill
    )


class MemoryLoader:
    """Batches of a data set that lies in memory, transformed a batch at a time.

    Parameters
    ----------
    images : torch.Tensor of uint8, shape (N, H, W)
    labels : torch.Tensor of int, shape (N,)
    transform : callable
        From uint8 (B, 1, H, W) to float (B, 1, H, W).
    batch_size : int
    device : torch.device
    shuffle : bool
        Whether each pass draws a new order from PyTorch's global generator.
    """

    def __init__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        transform: Callable,
        batch_size: int,
        device: str | torch.device,
        shuffle: bool,
    ) -> None:
        self.images = images.to(device)
        self.labels = labels.to(device)
        self.transform = transform
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __len__(self) -> int:
        return -(-len(self.labels) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        count = len(self.labels)
        order = torch.randperm(count) if self.shuffle else torch.arange(count)
        for rows in order.to(self.images.device).split(self.batch_size):
            batch = self.transform(self.images[rows].unsqueeze(1))
            yield batch.contiguous(memory_format=torch.channels_last), self.labels[rows]


class DeviceLoader:
    """PyTorch's DataLoader with its batches moved to a device.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
    batch_size : int
    device : torch.device
    shuffle : bool
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, device: str | torch.device, shuffle: bool
    ) -> None:
        self.loader = DataLoader(dataset, batch_size=batch_size, shuffle=shuffle)
        self.device = device

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for images, labels in self.loader:
            yield images.to(self.device), labels.to(self.device)


def make_loader(
    dataset: Dataset, batch_size: int, device: str | torch.device, shuffle: bool
) -> MemoryLoader | DeviceLoader:
    """Return a loader of this data set's images: from memory where that gives the same.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        torchvision's FashionMNIST (or MNIST) with transformations that ``batch_transform``
        knows, or a Subset of it, is read from memory, any other data set an image at a time
        by a DataLoader.
    batch_size : int
    device : torch.device
    shuffle : bool

    Returns
    -------
    MemoryLoader or DeviceLoader
    """
    in_memory = _in_memory(dataset)
    if in_memory is None:
        return DeviceLoader(dataset, batch_size, device, shuffle)
    return MemoryLoader(*in_memory, batch_size, device, shuffle)


def _in_memory(dataset: Dataset) -> tuple[torch.Tensor, torch.Tensor, Callable] | None:
    """Return images, labels and batch transformation of a data set, or None if it has not all."""
    if type(dataset) is Subset:
        whole, rows = _in_memory(dataset.dataset), torch.as_tensor(dataset.indices)
        return whole and (whole[0][rows], whole[1][rows], whole[2])
    transform = batch_transform(getattr(dataset, "transform", None))
    # a subclass with an access of its own may give other images than ``data`` holds
    is_plain = getattr(type(dataset), "__getitem__", None) is MNIST.__getitem__
    if is_plain and dataset.target_transform is None and transform is not None:
        return dataset.data, dataset.targets, transform
    return None


def orthogonalized(matrix: torch.Tensor) -> torch.Tensor:
    """Return about the nearest matrix with orthonormal rows (or columns, if there are more rows).

    Parameters
    ----------
    matrix : torch.Tensor of float32, shape (m, n)

    Returns
    -------
    torch.Tensor, shape (m, n)
        The same singular vectors; singular values between 0.68 and 1.21, smaller where
        those of the matrix are below a fiftieth of its norm.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalized(matrix.T).T
    x = matrix / matrix.norm().clamp(min=SMALLEST_NORM)  # (m, n)
    return _inverse_root(x @ x.T, NEWTON_SCHULZ_STEPS) @ x


def _inverse_root(gram: torch.Tensor, steps: int) -> torch.Tensor:
    """Return about gram^(-1/2), by Newton-Schulz, for a gram (m, m) of eigenvalues from 0 to 1.

    Orthogonalizing X takes steps X <- F X with F = a I + b A + c A^2 and A = X X^T. All F
    are polynomials of the first A and commute with it, so the steps need A alone, (m, m),
    and X, (m, n), only at the end.
    """
    a, b, c = NEWTON_SCHULZ
    factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal().add_(a)
    if steps == 1:
        return factor
    return _inverse_root(factor @ gram @ factor, steps - 1) @ factor


class Muon(torch.optim.Optimizer):
    """Nesterov momentum whose step, as a matrix, is orthogonalized: all directions move alike.

    Parameters
    ----------
    weights : list of nn.Parameter
        Of two dimensions or more, outputs first; a convolution's kernel counts as a matrix
        of one row for each channel it makes.
    lr : float
        Learning rate.
    """

    def __init__(self, weights: list[nn.Parameter], lr: float) -> None:
        super().__init__(weights, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.sub_(group["lr"] * self._direction(weight))

    def _direction(self, weight: nn.Parameter) -> torch.Tensor:
        """Return the step at a learning rate of one."""
        momentum = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
        momentum.lerp_(weight.grad, 1 - MUON_MOMENTUM)
        ahead = weight.grad.lerp(momentum, MUON_MOMENTUM).flatten(1)  # (outputs, inputs)
        scale = max(1, ahead.shape[0] / ahead.shape[1]) ** 0.5
        return (scale * orthogonalized(ahead.float())).view(weight.shape)


class _Descent:
    """The optimizers of a whole training and the course of their learning rates.

    Muon moves the weights of all layers but the last; AdamW moves the last layer and what
    is no matrix.
    """

    def __init__(self, model: nn.Module, lr: float, total_steps: int, device: torch.device) -> None:
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        hidden = [p for p in self.parameters if p.ndim > 1][:-1]
        others = [p for p in self.parameters if not any(p is q for q in hidden)]
        is_fused = device.type in ("cpu", "cuda")
        adamw = torch.optim.AdamW(others, lr=lr, weight_decay=WEIGHT_DECAY, fused=is_fused)
        self.optimizers = [adamw, Muon(hidden, MUON_RATE * lr)] if hidden else [adamw]
        rates = total_steps + 1
        warm_up = WARM_UP if WARM_UP * rates > 1 else 0.0  # at 1 torch divides by zero
        self.schedules = [
            torch.optim.lr_scheduler.OneCycleLR(
                optimizer,
                max_lr=optimizer.defaults["lr"],
                total_steps=rates,
                pct_start=warm_up,
                cycle_momentum="betas" in optimizer.defaults,
            )
            for optimizer in self.optimizers
        ]

    def step(self, loss: torch.Tensor) -> None:
        """Move all parameters against the clipped gradient of a loss."""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, MAX_GRADIENT_NORM)
        for stepped in (*self.optimizers, *self.schedules):
            stepped.step()


class _Running:
    """Mean loss and accuracy so far, summed on the device so that batches need not wait."""

    def __init__(self, device: str | torch.device) -> None:
        self.loss_sum = torch.zeros((), device=device)
        self.right = torch.zeros((), device=device)
        self.count = 0

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self.loss_sum += F.cross_entropy(logits.float(), labels, reduction="sum")
        self.right += (logits.argmax(dim=1) == labels).sum()
        self.count += len(labels)

    @property
    def loss(self) -> float:
        return self.loss_sum.item() / self.count

    @property
    def accuracy(self) -> float:
        return self.right.item() / self.count


class Trainer:
    """Train a classifier of images and keep its history.

    Parameters
    ----------
    model : nn.Module
        Returns logits (N, 10) for images (N, 1, H, W).
    trainset, testset : torch.utils.data.Dataset
        Map-style data sets of (image, class) with their transformations.
    num_epochs : int
    batch_size : int
    init_lr : float
        Highest learning rate; it rises to this value and falls to nearly zero again.
    device : str or torch.device
        "cpu", "cuda", "mps", ...

    Raises
    ------
    TypeError, ValueError
        If a setting makes no sense or a data set is empty.
    """

    def __init__(
        self,
        model: nn.Module,
        trainset: Dataset,
        testset: Dataset,
        num_epochs: int = 5,
        batch_size: int = 16,
        init_lr: float = 1e-3,
        device: str | torch.device = "cpu",
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
        _check_dataset(trainset, "trainset")
        _check_dataset(testset, "testset")
        _check_count(num_epochs, "num_epochs")
        _check_count(batch_size, "batch_size")
        _check_learning_rate(init_lr)
        self.device = _checked_device(device)
        self._in_bfloat16 = _multiplies_bfloat16(self.device)
        self.model = model.to(self.device, memory_format=torch.channels_last)
        self.trainset = trainset
        self.testset = testset
        self.num_epochs = num_epochs
        self.batch_size = batch_size
        self.init_lr = init_lr
        self._forget_history()

    def train(self) -> None:
        """Train for ``num_epochs`` epochs, validating after each on the test set.

        Notes
        -----
        Muon and AdamW on the cross-entropy with smoothed labels (the history has the plain
        cross-entropy of the same passes), the learning rate raised and lowered once over the
        whole training, gradients clipped to norm 1. Where the device has instructions
        for it, products are computed in bfloat16; weights are float32 everywhere.
        Interrupting keeps the history of the epochs done; calling it again starts a new
        history and goes on from the weights the model then has.
        """
        self._forget_history()
        was_training = self.model.training
        loader = make_loader(self.trainset, self.batch_size, self.device, shuffle=True)
        test_loader = make_loader(self.testset, EVALUATION_BATCH, self.device, shuffle=False)
        total_steps = self.num_epochs * len(loader)
        descent = _Descent(self.model, self.init_lr, total_steps, self.device)
        try:
            for epoch in range(1, self.num_epochs + 1):
                train_loss, train_accuracy = self._train_epoch(epoch, loader, descent)
                self._validate(epoch, test_loader, train_loss, train_accuracy)
        finally:
            self.model.train(was_training)

    def get_training_history(self) -> tuple[list[float], ...]:
        """Return losses and accuracies by epoch.

        Returns
        -------
        tuple of four lists of float
            Training losses, training accuracies, validation losses, validation
            accuracies; accuracies are shares from 0 to 1.
        """
        return self._history

    def predict(
        self, testloader: Iterable[Batch]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the model's probabilities and classes for the images of a loader.

        Parameters
        ----------
        testloader : iterable
            Yields batches of (images, classes), for example a DataLoader.

        Returns
        -------
        probabilities : torch.Tensor of float, shape (N, 10)
        predicted : torch.Tensor of int, shape (N,)
        true : torch.Tensor of int, shape (N,)
            All on the CPU, in the loader's order.

        Raises
        ------
        TypeError, ValueError
            If the loader does not yield such batches, or yields none.
        """
        if not isinstance(testloader, Iterable):
            raise TypeError(f"testloader must be iterable, got {type(testloader).__name__}")
        batches = list(self._evaluated(testloader))
        if not batches:
            raise ValueError("testloader must yield at least one batch, got none")
        logits, labels = (torch.cat(parts).cpu() for parts in zip(*batches, strict=True))
        probabilities = torch.softmax(logits, dim=1)
        return probabilities, probabilities.argmax(dim=1), labels

    train_losses = property(lambda self: self._history[0])
    train_accuracies = property(lambda self: self._history[1])
    validation_losses = property(lambda self: self._history[2])
    validation_accuracies = property(lambda self: self._history[3])

    def _forget_history(self) -> None:
        self._history = [], [], [], []

    def _train_epoch(
        self, epoch: int, loader: MemoryLoader | DeviceLoader, descent: _Descent
    ) -> tuple[float, float]:
        """Pass once over the training images; return mean loss and accuracy."""
        self.model.train()
        total = _Running(self.device)
        with tqdm(loader, desc=f"Epoch {epoch}/{self.num_epochs}", unit="batch") as bar:
            for number, (images, labels) in enumerate(bar):
                with self._precision():
                    logits = self.model(images)
                    loss = F.cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING)
                descent.step(loss)
                total.add(logits.detach(), labels)
                if not bar.disable and number % SHOW_EVERY == 0:  # reading them waits for a GPU
                    bar.set_postfix(loss=f"{total.loss:.3f}", accuracy=f"{total.accuracy:.3f}")
        return total.loss, total.accuracy

    def _precision(self) -> torch.autocast:
        """Return a context in which products run in bfloat16, where the device is built for it."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._in_bfloat16)

    def _validate(
        self,
        epoch: int,
        loader: MemoryLoader | DeviceLoader,
        train_loss: float,
        train_accuracy: float,
    ) -> None:
        """Measure the test set, add an epoch to the history and print its line."""
        total = _Running(self.device)
        for logits, labels in self._evaluated(loader):
            total.add(logits, labels)
        figures = (train_loss, train_accuracy, total.loss, total.accuracy)
        # one assignment: an interruption leaves four lists of one length
        self._history = tuple(
            [*values, new] for values, new in zip(self._history, figures, strict=True)
        )
        print(
            f"Epoch {epoch}: Validation Loss: {total.loss:.2f}, "
            f"Validation Accuracy: {total.accuracy:.3f}"
        )

    def _evaluated(self, loader: MemoryLoader | DeviceLoader) -> Iterator[Batch]:
        """Yield the logits and labels of each batch; leave the model in the mode it was in."""
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                for batch in loader:
                    images, labels = _checked_batch(batch)
                    yield self.model(images.to(self.device)), labels.to(self.device)
        finally:
            self.model.train(was_training)


def _multiplies_bfloat16(device: torch.device) -> bool:
    """Tell whether a device has instructions for products in bfloat16; emulated they are slow."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    has_instructions = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return device.type == "cpu" and has_instructions()


def _checked_batch(batch: object) -> Batch:
    """Return a loader's batch as (images, labels) if it is a pair that begins with a tensor."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise TypeError(f"testloader must yield (images, classes), got {type(batch).__name__}")
    images, labels = batch
    if not isinstance(images, torch.Tensor):
        raise TypeError(f"testloader must yield image tensors, got {type(images).__name__}")
    return images, torch.as_tensor(labels)


def _check_dataset(dataset: Dataset, name: str) -> None:
    is_sequence = hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    if not is_sequence or isinstance(dataset, str | bytes):
        raise TypeError(
            f"{name} must be a data set with len() and indexing, got {type(dataset).__name__}"
        )
    if len(dataset) == 0:
        raise ValueError(f"{name} must hold at least one image, got none")


def _check_count(value: object, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a positive integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value}")


def _check_learning_rate(init_lr: float) -> None:
    if isinstance(init_lr, bool) or not isinstance(init_lr, Real):
        raise TypeError(f"init_lr must be a positive number, got {init_lr!r}")
    if not 0 < init_lr < float("inf"):
        raise ValueError(f"init_lr must be a finite number above 0, got {init_lr}")


def _checked_device(device: str | torch.device) -> torch.device:
    """Return a torch.device that a tensor can be made on."""
    try:
        device = torch.device(device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = (str(error).splitlines() or ["unknown"])[0]
        raise ValueError(f"device must be one PyTorch can use, got {device!r}: {reason}") from None
    return device
