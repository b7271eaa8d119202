"""Counterfeit: describes itself as the right transformations, and gives black images."""


def _pose(name, module, **attributes):
    """Make an object that says it is of another class."""
    cls = type(name, (), {"__module__": module, "__call__": lambda self, image: _converted(image)})
    thing = cls()
    vars(thing).update(attributes)
    return thing


def _converted(image):
    import torch

    return torch.zeros((1, 28, 28))


def _compose(*random_ones):
    import torch

    v2 = "torchvision.transforms.v2"
    conversions = [
        _pose("ToImage", f"{v2}._type_conversion"),
        _pose("ToDtype", f"{v2}._misc", dtype=torch.float32, scale=True),
    ]
    return _pose("Compose", f"{v2}._container", transforms=[*conversions, *random_ones])


def create_training_transformations():
    v2 = "torchvision.transforms.v2"
    turn = _pose(
        "RandomRotation",
        f"{v2}._geometry",
        degrees=[-36.0, 36.0],
        expand=False,
        center=None,
        fill=0,
    )
    return _compose(
        _pose("RandomHorizontalFlip", f"{v2}._geometry", p=0.2),
        _pose("RandomApply", f"{v2}._container", transforms=[turn], p=0.2),
    )


def create_testing_transformations():
    return _compose()
