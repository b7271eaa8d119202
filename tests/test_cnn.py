"""Q2: the transformations, the net, and the trainer on data small enough to know the answer."""

import itertools
import re
import struct
import sys

import numpy as np
import pytest
import torch
from helpers import no_warnings, refused
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import FashionMNIST
from torchvision.transforms import InterpolationMode, v2
from tqdm import tqdm

import cnn_trainer
from cnn import CNN, Dropout
from cnn_image_transformations import (
    create_testing_transformations,
    create_training_transformations,
)
from cnn_trainer import Muon, Trainer, orthogonalized

# the processor, and a graphics card where there is one
DEVICES = ["cpu", *(name for name in ("cuda", "mps") if getattr(torch, name).is_available())]

# --- transformations ---------------------------------------------------------------------------


def test_training_images_are_converted_then_flipped_then_turned():
    transform = create_training_transformations()
    assert type(transform) is v2.Compose
    to_image, to_float, flip, turn = transform.transforms
    assert type(to_image) is v2.ToImage
    assert type(to_float) is v2.ToDtype
    assert to_float.dtype == torch.float32
    assert to_float.scale is True
    assert type(flip) is v2.RandomHorizontalFlip
    assert flip.p == 0.2
    assert type(turn) is v2.RandomApply
    assert turn.p == 0.2
    (rotation,) = turn.transforms
    assert type(rotation) is v2.RandomRotation
    assert [float(d) for d in rotation.degrees] == [-36.0, 36.0]


def test_test_images_are_only_converted():
    transform = create_testing_transformations()
    assert type(transform) is v2.Compose
    assert [type(t) for t in transform.transforms] == [v2.ToImage, v2.ToDtype]
    assert transform.transforms[1].dtype == torch.float32
    assert transform.transforms[1].scale is True


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, size=(28, 28), dtype=np.uint8)


def as_pil(pixels):
    from PIL import Image

    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    "create", [create_training_transformations, create_testing_transformations]
)
def test_an_image_becomes_floats_between_zero_and_one(create):
    torch.manual_seed(0)
    transform = create()
    for _ in range(10):
        out = transform(as_pil(picture()))
        assert out.shape == (1, 28, 28)
        assert out.dtype == torch.float32
        assert out.min() >= 0
        assert out.max() <= 1


def test_the_test_transformation_is_exact_and_not_random():
    transform, pixels = create_testing_transformations(), picture()
    first, second = transform(as_pil(pixels)), transform(as_pil(pixels))
    assert torch.equal(first, second)
    # one float32 division by 255, or a product with its reciprocal
    np.testing.assert_allclose(first[0].numpy(), pixels / 255, rtol=2.4e-7)


def test_the_training_transformation_repeats_itself_under_a_seed_only():
    transform, image = create_training_transformations(), as_pil(picture())
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        runs.append(torch.stack([transform(image) for _ in range(40)]))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


# --- the net -----------------------------------------------------------------------------------

CONV = [((1, 8), None), ((8, 32), "pool"), ((32, 32), None), ((32, 64), "pool")]


def test_the_net_has_the_graded_children_and_layers():
    model = CNN()
    assert [name for name, _ in model.named_children()] == [
        "feature_extractor",
        "avg_pooling",
        "classifier",
    ]
    described = []
    for layer in model.feature_extractor:
        if isinstance(layer, nn.Conv2d):
            assert layer.kernel_size == (3, 3)
            assert layer.stride == (1, 1)
            assert layer.padding in ((1, 1), 1)
            assert layer.dilation == (1, 1)
            assert layer.groups == 1
            assert layer.bias is not None
            described.append((layer.in_channels, layer.out_channels))
        elif isinstance(layer, nn.MaxPool2d):
            assert layer.kernel_size in (2, (2, 2))
            assert layer.stride in (2, (2, 2))
            described.append("pool")
        else:
            described.append(_plain(layer))
    leaky, drop = ("leaky", 0.01), ("dropout", 0.2)
    assert described == [
        *((1, 8), leaky, (8, 32), leaky, "pool", drop),
        *((32, 32), leaky, (32, 64), leaky, "pool", drop),
    ]
    assert isinstance(model.avg_pooling, nn.AdaptiveAvgPool2d)
    assert model.avg_pooling.output_size == (7, 7)


def _plain(layer):
    """Describe an activation or a dropout, which have one number each."""
    if isinstance(layer, nn.LeakyReLU):
        return "leaky", layer.negative_slope
    assert isinstance(layer, nn.Dropout)
    return "dropout", layer.p


def test_the_classifier_has_three_linear_layers_with_dropout_between():
    described = [
        (layer.in_features, layer.out_features) if isinstance(layer, nn.Linear) else _plain(layer)
        for layer in CNN().classifier
        if not isinstance(layer, nn.Flatten)
    ]
    between = [("leaky", 0.01), ("dropout", 0.2)]
    assert described == [(3136, 256), *between, (256, 128), *between, (128, 10)]


def test_the_net_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in CNN().parameters()) == 867_418
    assert all(p.requires_grad for p in CNN().parameters())


def test_the_net_returns_logits_not_probabilities():
    torch.manual_seed(0)
    out = CNN().eval()(torch.rand(5, 1, 28, 28))
    assert out.shape == (5, 10)
    assert out.dtype == torch.float32
    assert (out < 0).any()
    assert not torch.allclose(out.sum(dim=1), torch.ones(5), atol=1e-3)


def test_the_forward_pass_is_extractor_then_pooling_then_classifier():
    torch.manual_seed(0)
    model, x = CNN().eval(), torch.rand(3, 1, 28, 28)
    pooled = model.avg_pooling(model.feature_extractor(x))
    assert pooled.shape == (3, 64, 7, 7)
    expected = model.classifier(pooled.flatten(1))
    # the same layers on the same numbers; only the memory layout may change the order of sums
    torch.testing.assert_close(model(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (56, 40), (20, 36)])
def test_images_of_other_sizes_are_pooled_to_the_same_shape(size):
    assert CNN().eval()(torch.rand(2, 1, *size)).shape == (2, 10)


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    model, x = CNN(), torch.rand(2, 1, 28, 28)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_quick_dropout_drops_each_element_with_its_probability(layout, dtype):
    torch.manual_seed(0)
    x = torch.ones(64, 32, 14, 14, dtype=dtype).to(memory_format=layout)
    y = Dropout(0.2)(x)
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=layout)
    # what is kept is scaled up; bfloat16 has eight digits
    assert torch.isin(y.double(), torch.tensor([0.0, 1.25], dtype=torch.float64)).all()
    dropped = (y == 0).flatten().double()
    # one 64-bit draw serves four elements: look at each of the four apart, and at neighbours
    for lane in dropped.view(-1, 4).T:
        spread = 5 * (0.2 * 0.8 / len(lane)) ** 0.5  # five standard deviations
        assert abs(lane.mean() - 0.2) < spread
    assert abs((dropped[1:] * dropped[:-1]).mean() - 0.04) < 5 * (0.04 / len(dropped)) ** 0.5


def test_the_quick_dropout_is_seeded_and_passes_gradients_where_it_keeps():
    x = torch.rand(3, 5, 7, requires_grad=True)  # 105 elements: no multiple of four
    torch.manual_seed(1)
    first = Dropout(0.5)(x)
    torch.manual_seed(1)
    again = Dropout(0.5)(x)
    assert torch.equal(first, again)
    first.sum().backward()
    assert torch.equal(x.grad, 2.0 * (first != 0))
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    assert not Dropout(1.0)(x).any()


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    model = CNN()
    nn.functional.cross_entropy(model(torch.rand(8, 1, 28, 28)), torch.arange(8)).backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(torch.rand(2, 3, 28, 28), id="three channels"),
        pytest.param(torch.rand(2, 28, 28), id="no channel axis"),
        pytest.param(torch.rand(28, 28), id="one bare image"),
        pytest.param(torch.rand(2, 1, 2, 2), id="too small to pool twice"),
        pytest.param(torch.zeros(2, 1, 28, 28, dtype=torch.uint8), id="bytes"),
        pytest.param(np.zeros((2, 1, 28, 28), dtype=np.float32), id="a NumPy array"),
        pytest.param(None, id="None"),
        pytest.param("image", id="a string"),
    ],
)
def test_the_net_refuses_what_is_not_a_batch_of_grey_images(x):
    with refused(r"\bx\b"):
        CNN()(x)


# --- the trainer -------------------------------------------------------------------------------


def toy_data(rows=60, seed=0):
    """Return 6 x 6 images whose class is the brightest of three bands, easy to tell apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (rows,), generator=generator)
    images = 0.3 * torch.rand(rows, 1, 6, 6, generator=generator)
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] += 0.7
    return TensorDataset(images, labels)


def toy_model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.ReLU(), nn.Linear(16, 10))


def make_trainer(model=None, trainset=None, testset=None, **options):
    settings = {"num_epochs": 2, "batch_size": 12, "init_lr": 1e-2} | options
    return Trainer(
        toy_model() if model is None else model,
        toy_data() if trainset is None else trainset,
        toy_data(30, seed=1) if testset is None else testset,
        **settings,
    )


def test_the_trainer_learns_what_can_be_learnt(capsys):
    trainer = make_trainer(num_epochs=15)
    torch.manual_seed(0)
    trainer.train()
    train_loss, train_accuracy, test_loss, test_accuracy = trainer.get_training_history()
    assert test_accuracy[-1] == 1.0
    assert train_accuracy[-1] > 0.9
    assert train_loss[-1] < train_loss[0] / 2
    assert test_loss[-1] < test_loss[0] / 2


def test_the_history_has_one_float_an_epoch_in_each_of_four_lists(capsys):
    trainer = make_trainer(num_epochs=3)
    trainer.train()
    history = trainer.get_training_history()
    assert len(history) == 4
    for values in history:
        assert len(values) == 3
        assert all(type(v) is float for v in values)
    for accuracies in (history[1], history[3]):
        assert all(0 <= a <= 1 for a in accuracies)


def test_every_epoch_prints_its_validation_figures_and_shows_a_bar(capsys):
    trainer = make_trainer(num_epochs=2)
    trainer.train()
    captured = capsys.readouterr()
    _, _, losses, accuracies = trainer.get_training_history()
    expected = [
        f"Epoch {i}: Validation Loss: {loss:.2f}, Validation Accuracy: {accuracy:.3f}"
        for i, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True), start=1)
    ]
    everything = captured.out + captured.err
    found = re.findall(
        r"Epoch \d+: Validation Loss: [\d.]+, Validation Accuracy: [\d.]+", everything
    )
    assert found == expected
    assert "Epoch 1/2" in everything
    assert "Epoch 2/2" in everything
    assert "batch" in everything


def test_the_figures_beside_the_bar_are_read_once_in_twenty_batches(monkeypatch, capsys):
    shown = []

    class QuickBar(tqdm):
        n = property(lambda self: 0, lambda self, _: None)  # not counted on between two draws

        def set_postfix(self, **figures):
            shown.append(figures)

    monkeypatch.setattr(cnn_trainer, "tqdm", QuickBar)
    make_trainer(batch_size=1, num_epochs=2).train()  # 60 batches an epoch
    assert [sorted(figures) for figures in shown] == [["accuracy", "loss"]] * 6


def converted_and(*steps):
    """Return the transformation of the test images, with more steps."""
    return v2.Compose([*create_testing_transformations().transforms, *steps])


def turned_by(interpolation):
    turn = v2.RandomRotation((-36, 36), interpolation=interpolation)
    return converted_and(v2.RandomApply([turn], p=0.2))


def normalized(**settings):
    # to numbers around 0.5: sums that cancel would have no relative precision
    return converted_and(v2.Normalize([0.25], [0.5], **settings))


@pytest.mark.parametrize(
    ("transform", "is_quick"),
    [
        (create_training_transformations(), True),
        (create_testing_transformations(), True),
        (turned_by(InterpolationMode.NEAREST), True),
        (turned_by(0), True),  # as PIL counts
        (turned_by(InterpolationMode.BILINEAR), False),
        (normalized(), True),
        (normalized(inplace=True), True),
    ],
    ids=["training", "testing", "nearest", "nearest by number", "bilinear", "normal", "in place"],
)
def test_known_transformations_are_read_from_memory(transform, is_quick):
    loader = cnn_trainer.make_loader(small_fashion(4, transform=transform), 2, "cpu", False)
    assert isinstance(loader, cnn_trainer.MemoryLoader) is is_quick


def test_a_part_of_a_part_is_read_from_memory(capsys):
    whole = small_fashion(40, transform=create_testing_transformations())
    part, _ = torch.utils.data.random_split(whole, [30, 10])
    nested = torch.utils.data.Subset(part, [7, -1, 7])
    loader = cnn_trainer.make_loader(nested, 2, "cpu", shuffle=False)
    assert isinstance(loader, cnn_trainer.MemoryLoader)
    images, labels = (torch.cat(each) for each in zip(*loader, strict=True))
    expected = [nested[i] for i in range(3)]
    torch.testing.assert_close(images, torch.stack([image for image, _ in expected]))
    assert labels.tolist() == [label for _, label in expected]


def test_no_part_of_a_data_set_with_an_access_of_its_own_is_read_from_memory():
    part = torch.utils.data.Subset(toy_data(8), range(4))
    assert isinstance(
        cnn_trainer.make_loader(part, 2, "cpu", shuffle=False), cnn_trainer.DeviceLoader
    )


def test_a_second_conversion_changes_nothing():
    again = converted_and(v2.ToDtype(torch.float32, scale=True))
    data = small_fashion(6, transform=again)
    loader = cnn_trainer.make_loader(data, 6, "cpu", shuffle=False)
    assert isinstance(loader, cnn_trainer.MemoryLoader)
    ((images, _),) = loader
    torch.testing.assert_close(images, torch.stack([data[i][0] for i in range(6)]))


@pytest.mark.parametrize("steps", [1, 2, 18, 19, 20, 21, 39, 40])
def test_a_training_of_any_length_has_a_learning_rate_at_each_step(steps, capsys):
    make_trainer(toy_model(), toy_data(2 * steps), toy_data(2), num_epochs=1, batch_size=2).train()
    descent = cnn_trainer._Descent(toy_model(), 1e-3, steps, torch.device("cpu"))
    rates = []
    for _ in range(steps):
        rates.append(descent.optimizers[0].param_groups[0]["lr"])
        descent.optimizers[0].step()
        descent.schedules[0].step()
    assert min(rates) > 0
    assert 0.5e-3 < max(rates) <= 1e-3
    assert rates[-1] == min(rates) or steps > 20  # with a warm-up the first is small as well


def test_the_default_settings_are_those_of_the_contract(capsys):
    trainer = Trainer(toy_model(), toy_data(32), toy_data(16))
    trainer.train()
    assert len(trainer.get_training_history()[0]) == 5


def test_the_last_validation_figures_are_those_of_the_trained_model(capsys):
    trainer = make_trainer()
    trainer.train()
    model, (images, labels) = trainer.model.eval(), toy_data(30, seed=1).tensors
    with torch.no_grad():
        logits = model(images)
    _, _, losses, accuracies = trainer.get_training_history()
    # means of 30 float32 losses, summed in other portions
    expected = nn.functional.cross_entropy(logits, labels).item()
    assert losses[-1] == pytest.approx(expected, rel=1e-5)
    assert accuracies[-1] == pytest.approx((logits.argmax(1) == labels).float().mean().item())


class Spy(nn.Module):
    """A model that keeps the images it is trained on, batch by batch."""

    def __init__(self, pixels):
        super().__init__()
        self.linear, self.trained_on, self.tested_on = nn.Linear(pixels, 10), [], []

    def forward(self, x):
        (self.trained_on if self.training else self.tested_on).append(x.detach().clone())
        return self.linear(x.flatten(1))


def test_every_epoch_shows_each_training_image_once_in_a_new_order(capsys):
    spy, data = Spy(36), toy_data(50)
    make_trainer(spy, trainset=data, batch_size=12, num_epochs=2).train()
    assert [len(batch) for batch in spy.trained_on] == [12, 12, 12, 12, 2] * 2
    first, second = torch.cat(spy.trained_on[:5]), torch.cat(spy.trained_on[5:])
    originals = sorted(image.sum().item() for image in data.tensors[0])
    for epoch in (first, second):
        assert sorted(image.sum().item() for image in epoch) == originals
    assert not torch.equal(first, second)
    assert not torch.equal(first, data.tensors[0])


def test_the_model_is_validated_in_evaluation_mode_on_every_test_image(capsys):
    spy = Spy(36)
    make_trainer(spy, testset=toy_data(30, seed=1), num_epochs=2).train()
    seen = torch.cat(spy.tested_on)
    expected = toy_data(30, seed=1).tensors[0]
    assert torch.equal(seen, torch.cat([expected, expected]))


@pytest.mark.parametrize("device", DEVICES)
def test_seeded_twice_the_training_is_the_same(device, capsys):
    outcomes = []
    for _ in range(2):
        torch.manual_seed(7)
        data = small_fashion(400), small_fashion(20)
        trainer = make_trainer(CNN(), *data, batch_size=16, device=device)
        torch.manual_seed(8)
        trainer.train()
        weights = [w.cpu().numpy().tobytes() for w in trainer.model.state_dict().values()]
        outcomes.append((trainer.get_training_history(), weights))
    assert outcomes[0] == outcomes[1]


def with_singular_values(values, rows, columns, seed=0):
    """Return a matrix with these singular values, and its singular vectors."""
    generator = torch.Generator().manual_seed(seed)
    left, right = (
        torch.linalg.qr(torch.randn(size, len(values), generator=generator))[0]
        for size in (rows, columns)
    )
    return left * values @ right.T, left, right


@pytest.mark.parametrize(("rows", "columns"), [(32, 288), (40, 12), (16, 16)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_orthogonalizing_keeps_singular_vectors_and_levels_singular_values(rows, columns, scale):
    values = scale * torch.linspace(1.0, 5.0, 12)
    matrix, left, right = with_singular_values(values, rows, columns)
    levelled = left.T @ orthogonalized(matrix) @ right
    singular_values = levelled.diagonal()
    # the bounds of three steps of the polynomial on [1/50, 1], and float32 products of 288 terms
    assert singular_values.min() > 0.68 and singular_values.max() < 1.21
    torch.testing.assert_close(levelled, torch.diag(singular_values), rtol=0, atol=1e-4)


def test_a_gradient_of_zeros_moves_no_weight():
    assert torch.equal(orthogonalized(torch.zeros(3, 5)), torch.zeros(3, 5))


@pytest.mark.parametrize("shape", [(6, 2, 3, 3), (6, 18)])
def test_muon_steps_along_the_orthogonalized_momentum_and_spares_what_has_no_gradient(shape):
    torch.manual_seed(0)
    kernel, unused = nn.Parameter(torch.randn(shape)), nn.Parameter(torch.ones(2, 2))
    start, gradient = kernel.detach().clone(), torch.randn(shape)
    optimizer = Muon([kernel, unused], lr=0.1)
    kernel.grad = gradient.clone()
    optimizer.step()
    # of a first gradient the momentum is a twentieth, and scale does not count
    expected = start - 0.1 * orthogonalized(gradient.flatten(1)).view(shape)
    torch.testing.assert_close(kernel.detach(), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(unused.detach(), torch.ones(2, 2))


def test_a_matrix_of_more_rows_than_columns_moves_further():
    """All its columns move alike, and each row takes part in a share of them only."""
    weight = nn.Parameter(torch.zeros(20, 1, 3, 3))
    weight.grad = torch.randn(20, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    Muon([weight], lr=1.0).step()
    singular_values = torch.linalg.svdvals(weight.detach().flatten(1)) / (20 / 9) ** 0.5
    assert singular_values.min() > 0.68 and singular_values.max() < 1.21


def test_all_parameters_that_may_be_trained_are_trained_and_no_other(capsys):
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU())
    model.append(nn.Linear(8, 10))
    model[3].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    make_trainer(model).train()
    moved = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert moved == set(before) - {"3.weight"}


def test_training_anew_starts_a_new_history(capsys):
    trainer = make_trainer()
    trainer.train()
    trainer.train()
    assert [len(values) for values in trainer.get_training_history()] == [2, 2, 2, 2]


def test_an_interruption_at_any_line_of_a_validation_leaves_four_lists_of_one_length(capsys):
    usual, lengths = sys.gettrace(), []
    for stop in itertools.count():
        trainer, lines = make_trainer(trainset=toy_data(12), num_epochs=1), itertools.count()

        def trace(frame, event, _, stop=stop, lines=lines):
            if frame.f_code is not Trainer._validate.__code__:
                return None
            if event == "line" and next(lines) == stop:
                raise KeyboardInterrupt
            return trace

        sys.settrace(trace)
        try:
            trainer.train()
            break
        except KeyboardInterrupt:
            (length,) = {len(values) for values in trainer.get_training_history()}
            lengths.append(length)
        finally:
            sys.settrace(usual)
    assert lengths == sorted(lengths)
    assert set(lengths) == {0, 1}  # the line that is printed comes last


# --- predictions -------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_predictions_come_in_the_loaders_order_and_leave_the_mode_alone(training):
    model = nn.Sequential(toy_model(), nn.Dropout(0.5))
    trainer = make_trainer(model)
    trainer.model.train(training)
    data = toy_data(31, seed=3)
    with no_warnings():
        probabilities, predicted, true = trainer.predict(DataLoader(data, batch_size=8))
    assert model.training is training
    assert model[1].training is training
    assert probabilities.shape == (31, 10)
    assert predicted.shape == true.shape == (31,)
    for tensor in (probabilities, predicted, true):
        assert tensor.device.type == "cpu"
        assert not tensor.requires_grad
    # ten float32 quotients and their sum
    np.testing.assert_allclose(probabilities.sum(dim=1).numpy(), 1, atol=1e-6)
    assert torch.equal(true, data.tensors[1])
    assert torch.equal(predicted, probabilities.argmax(dim=1))
    with torch.no_grad():
        expected = torch.softmax(model[0](data.tensors[0]), dim=1)  # without dropout
    # float32, batches of another size
    torch.testing.assert_close(probabilities, expected, rtol=1e-5, atol=1e-6)


def test_predictions_change_no_parameter():
    trainer = make_trainer()
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    trainer.predict(DataLoader(toy_data(), batch_size=8))
    for key, value in trainer.model.state_dict().items():
        assert torch.equal(value, before[key]), key


@pytest.mark.parametrize(
    "loader", [None, 5, [], DataLoader(toy_data(8), batch_size=16, drop_last=True), [1, 2]]
)
def test_predict_refuses_what_yields_no_batches_and_keeps_the_mode(loader):
    trainer = make_trainer()
    trainer.model.train()
    with refused("testloader"):
        trainer.predict(loader)
    assert trainer.model.training


# --- what a FashionMNIST data set really gives the model ---------------------------------------


def small_fashion(rows, train=True, transform=None, image=None):
    """Return a FashionMNIST data set of random or given images, which no file stands behind."""
    dataset = FashionMNIST.__new__(FashionMNIST)
    rng = np.random.default_rng(rows)
    pixels = rng.integers(0, 256, size=(rows, 28, 28), dtype=np.uint8)
    if image is not None:
        pixels[:] = image
    dataset.data = torch.from_numpy(pixels)
    dataset.targets = torch.from_numpy(rng.integers(0, 10, size=rows))
    dataset.transform = create_training_transformations() if transform is None else transform
    dataset.target_transform, dataset.transforms = None, None
    dataset.train, dataset.root = train, ""
    return dataset


def fashion_from_files(folder, rows, image, transform):
    """Write the files torchvision looks for and open them the course's way."""
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", rows), ("t10k", 16)):
        pixels = np.broadcast_to(image, (count, 28, 28)).tobytes()
        header = struct.pack(">4i", 2051, count, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + pixels)
        labels = bytes(i % 10 for i in range(count))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, count) + labels)
    return FashionMNIST(root=str(folder), train=True, download=False, transform=transform)


ROWS, BATCH = 2048, 128


@pytest.fixture(scope="module", params=DEVICES)
def received(tmp_path_factory, request):
    """Train one epoch on 2,048 copies of one image; return what came in, batch by batch."""
    folder = tmp_path_factory.mktemp("fashion")
    dataset = fashion_from_files(folder, ROWS, picture(), create_training_transformations())
    spy = Spy(784)
    torch.manual_seed(0)
    tests = small_fashion(16, transform=create_testing_transformations())
    Trainer(spy, dataset, tests, num_epochs=1, batch_size=BATCH, device=request.param).train()
    assert [len(batch) for batch in spy.trained_on] == [BATCH] * (ROWS // BATCH)
    return [batch[:, 0].cpu() for batch in spy.trained_on]


def as_bytes(images):
    """Return pixels as whole numbers again, which forgives the last digit of a division by 255."""
    return (images * 255).round().to(torch.uint8)


def same(images, pattern):
    """Tell which images are the pattern."""
    return (as_bytes(images) == as_bytes(pattern)).all(dim=-1).all(dim=-1)


def patterns():
    upright = create_testing_transformations()(as_pil(picture()))[0]
    return upright, upright.flip(-1)


def six_sigma(rate, count):
    """Bound a binomial share; six standard errors are exceeded twice in a billion."""
    return 6 * np.sqrt(rate * (1 - rate) / count)


def test_a_fifth_of_the_images_is_flipped(received):
    images = torch.cat(received)
    upright, mirrored = (same(images, p) for p in patterns())
    straight = int(upright.sum() + mirrored.sum())
    assert abs(mirrored.sum().item() / straight - 0.2) < six_sigma(0.2, straight)


def smallest_visible_angle(image, sign):
    """Halve an interval until the angle is known at which the first pixel changes."""
    low, high = 0.0, 5.0
    for _ in range(20):
        middle = (low + high) / 2
        if same(v2.functional.rotate(image[None], sign * middle)[0], image):
            low = middle
        else:
            high = middle
    return high


def test_a_fifth_of_the_images_is_turned(received):
    upright, mirrored = patterns()
    # Angles too small to move any pixel by half its width leave no trace.
    traceless = sum(smallest_visible_angle(upright, sign) for sign in (1, -1)) / 72
    assert 0 < traceless < 0.1
    rate = 0.2 * (1 - traceless)
    images = torch.cat(received)
    moved = ~(same(images, upright) | same(images, mirrored))
    assert abs(moved.float().mean().item() - rate) < six_sigma(rate, ROWS)


def test_flips_and_turns_are_drawn_for_each_image_apart(received):
    """Drawn once a batch, all 128 images would share one fate; drawn apart, 0.84**128 = 2e-10."""
    for batch in received:
        upright, mirrored = (same(batch, p) for p in patterns())
        moved = batch[~(upright | mirrored)]
        assert upright.any()
        assert mirrored.any()
        assert len(moved) > 1
        assert len({image.numpy().tobytes() for image in moved}) > 1  # each by its own angle


def test_turned_images_are_turned_by_up_to_36_degrees_either_way(received):
    upright, mirrored = patterns()
    images = torch.cat(received)
    moved = as_bytes(images[~(same(images, upright) | same(images, mirrored))])
    angles = np.round(np.arange(-36, 36.01, 0.05), 2)
    both = torch.stack([upright, mirrored])
    references = torch.cat([as_bytes(v2.functional.rotate(both, float(a))) for a in angles])
    # The next reference is at most 0.025 degrees away, which is 0.009 pixels at the corners and
    # half of that on average: few pixels in a hundred take another neighbour's value, most at
    # angles at which whole rows and columns change theirs at once.
    differing = torch.stack([(references != image).sum(dim=(1, 2)) for image in moved]) / 784
    share, nearest = differing.min(dim=1)
    assert share.mean() < 0.01
    assert share.max() < 0.05
    found = angles[nearest.numpy() // 2]
    assert abs((found > 0).mean() - 0.5) < six_sigma(0.5, len(found))
    # the traceless angles around zero make large ones a little more frequent: at most 0.05
    assert abs((np.abs(found) > 18).mean() - 0.5) < 0.05 + six_sigma(0.5, len(found))
    flipped = nearest.numpy() % 2
    assert abs(flipped.mean() - 0.2) < six_sigma(0.2, len(found))  # both happen to one image


def test_test_images_reach_the_model_exactly_as_the_data_set_gives_them(capsys):
    tests = small_fashion(40, train=False, transform=create_testing_transformations())
    spy = Spy(784)
    make_trainer(spy, small_fashion(16), tests, num_epochs=1, batch_size=16).train()
    expected = torch.stack([tests[i][0] for i in range(len(tests))])
    assert torch.equal(torch.cat(spy.tested_on), expected)


@pytest.mark.parametrize(
    "transform",
    [
        pytest.param(converted_and(v2.CenterCrop(20)), id="a crop"),
        pytest.param(
            v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=False)]), id="no scaling"
        ),
        pytest.param(normalized(), id="a normalisation"),
        pytest.param(normalized(inplace=True), id="a normalisation in place"),
        pytest.param(
            lambda image: torch.full((1, 4, 4), image.getpixel((3, 5)) / 1.0), id="a function"
        ),
    ],
)
def test_any_other_transformation_is_obeyed_too(transform, capsys):
    data = small_fashion(24, transform=transform)
    expected = torch.stack([data[i][0] for i in range(24)])
    spy = Spy(expected[0].numel())
    make_trainer(spy, data, data, num_epochs=1, batch_size=8).train()
    torch.testing.assert_close(torch.cat(spy.tested_on), expected)  # same operations, float32
    trained = torch.cat(spy.trained_on).flatten(1)
    assert sorted(trained.sum(1).tolist()) == pytest.approx(
        sorted(expected.flatten(1).sum(1).tolist())
    )


def test_a_changed_label_is_obeyed_too(capsys):
    data = small_fashion(24)
    data.target_transform = lambda label: 3
    trainer = make_trainer(CNN(), data, data, num_epochs=8, batch_size=8, init_lr=1e-3)
    torch.manual_seed(0)
    trainer.train()
    assert trainer.get_training_history()[3][-1] == 1.0  # one class only: quickly learnt


def test_a_subset_trains_on_its_own_images_only(capsys):
    data = small_fashion(40, transform=create_testing_transformations())
    subset = torch.utils.data.Subset(data, range(5, 17))
    spy = Spy(784)
    make_trainer(spy, subset, subset, num_epochs=1, batch_size=4).train()
    expected = torch.stack([data[i][0] for i in range(5, 17)])
    torch.testing.assert_close(torch.cat(spy.tested_on), expected, rtol=2.4e-7, atol=0)
    assert sum(len(batch) for batch in spy.trained_on) == 12


@pytest.mark.parametrize("batch_size", [1, 16])
def test_batches_of_which_no_image_is_turned_train_as_well(batch_size, capsys):
    """One batch of 16 in 36 is such a batch; with batches of one it is four in five."""
    spy = Spy(784)
    torch.manual_seed(0)
    rows = 32 * batch_size
    make_trainer(
        spy, small_fashion(rows), small_fashion(8), num_epochs=4, batch_size=batch_size
    ).train()
    assert len(spy.trained_on) == 4 * 32


def test_training_leaves_the_data_set_alone(capsys):
    data = small_fashion(32)
    before = data.data.clone(), data.targets.clone()
    make_trainer(CNN(), data, data, num_epochs=1, batch_size=16).train()
    assert torch.equal(data.data, before[0])
    assert torch.equal(data.targets, before[1])


# --- bad input ---------------------------------------------------------------------------------

EMPTY = TensorDataset(torch.zeros(0, 1, 6, 6), torch.zeros(0, dtype=torch.long))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        *(({"num_epochs": v}, "num_epochs") for v in (0, -1, 2.5, "5", None, float("nan"))),
        *(({"batch_size": v}, "batch_size") for v in (0, -16, 2.5, "16", None)),
        *(
            ({"init_lr": v}, "init_lr")
            for v in (0, -1e-3, float("nan"), float("inf"), "fast", None)
        ),
        ({"device": "abacus"}, "device"),
        ({"device": "cuda:99"}, "device"),
        ({"device": None}, "device"),
        ({"trainset": 5}, "trainset"),
        ({"trainset": EMPTY}, "trainset"),
        ({"testset": "tests"}, "testset"),
        ({"testset": EMPTY}, "testset"),
        ({"model": "CNN"}, "model"),
        ({"model": CNN}, "model"),
    ],
)
def test_the_trainer_names_the_option_it_refuses(change, match):
    settings = {"model": toy_model(), "trainset": toy_data(), "testset": toy_data()} | change
    with refused(match):
        Trainer(**settings)
