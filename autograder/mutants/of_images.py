"""Mutants of cnn_image_transformations.py."""

from autograder.mutants.submission import mutants_of

student, reference = mutants_of("cnn_image_transformations.py")

LOST = ("2.1.1",)
ROTATION = "v2.RandomApply([v2.RandomRotation((-36, 36))], p=0.2)"
MUTANTS = (
    reference(
        "flip-half-of-the-time",
        "the default probability 0.5 instead of 0.2",
        LOST,
        ("v2.RandomHorizontalFlip(p=0.2)", "v2.RandomHorizontalFlip()"),
    ),
    reference(
        "flip-upside-down",
        "vertical for horizontal",
        LOST,
        ("v2.RandomHorizontalFlip(p=0.2)", "v2.RandomVerticalFlip(p=0.2)"),
    ),
    reference(
        "pixels-not-scaled",
        "scale=True is missing: values from 0 to 255",
        LOST,
        ("v2.ToDtype(torch.float32, scale=True)", "v2.ToDtype(torch.float32)"),
    ),
    student(
        "pixels-not-scaled-in-testing",
        "scale=True is missing in the second list only",
        LOST,
        (
            "v2.ToDtype(torch.float32, scale=True),\n        ]",
            "v2.ToDtype(torch.float32, scale=False),\n        ]",
        ),
    ),
    reference(
        "pixels-in-double-precision",
        "float64 for float32",
        LOST,
        ("v2.ToDtype(torch.float32, scale=True)", "v2.ToDtype(torch.float64, scale=True)"),
    ),
    reference(
        "rotation-always",
        "RandomRotation without RandomApply",
        LOST,
        (ROTATION, "v2.RandomRotation((-36, 36))"),
    ),
    reference(
        "rotation-too-far",
        "45 degrees for 36",
        LOST,
        (ROTATION, "v2.RandomApply([v2.RandomRotation((-45, 45))], p=0.2)"),
    ),
    reference(
        "rotation-one-way",
        "from 0 to 36 degrees only",
        LOST,
        (ROTATION, "v2.RandomApply([v2.RandomRotation((0, 36))], p=0.2)"),
    ),
    student(
        "rotation-before-flip",
        "the two random steps in the other order",
        LOST,
        ("            v2.RandomHorizontalFlip(p=0.2),\n", ""),
        (
            "degrees=(-36, 36))], p=0.2),\n",
            "degrees=(-36, 36))], p=0.2),\n            v2.RandomHorizontalFlip(p=0.2),\n",
        ),
    ),
    student(
        "flip-and-rotation-together",
        "one RandomApply round both",
        LOST,
        ("            v2.RandomHorizontalFlip(p=0.2),\n", ""),
        ("v2.RandomApply([", "v2.RandomApply([v2.RandomHorizontalFlip(p=0.2), "),
    ),
    reference(
        "testing-is-random-too",
        "test images are mirrored as well",
        LOST,
        (
            "return v2.Compose(_conversions())",
            "return v2.Compose([*_conversions(), v2.RandomHorizontalFlip(p=0.2)])",
        ),
    ),
    student(
        "testing-normalised",
        "a normalisation nobody asked for",
        LOST,
        (
            "v2.ToDtype(torch.float32, scale=True),\n        ]",
            "v2.ToDtype(torch.float32, scale=True),\n"
            "            v2.Normalize([0.5], [0.5]),\n        ]",
        ),
    ),
    student(
        "training-without-to-image",
        "ToImage is missing, so a PIL image stays one",
        LOST,
        (
            "            v2.ToImage(),\n"
            "            v2.ToDtype(torch.float32, scale=True),\n"
            "            v2.Random",
            "            v2.ToDtype(torch.float32, scale=True),\n            v2.Random",
        ),
    ),
    student("right-second-transformations", "no mistake: the second solution as it is", ()),
    reference("right-reference-transformations", "no mistake: the reference as it is", ()),
)
