"""Question 2.1.2: a small convolutional net for 28 x 28 grey images.

Symbols: N images, C channels, H and W height and width.
"""

import torch
from torch import nn

DROPOUT = 0.2
NEGATIVE_SLOPE = 0.01
POOLED_SIZE = (7, 7)


class Dropout(nn.Dropout):
    """PyTorch's dropout, on a processor drawn with 16 random bits for each element.

    One 64-bit draw serves four elements, where ``nn.Dropout`` takes a draw and a
    conversion for each and so spends a fifth of a training step. The probability is
    rounded to a multiple of 2^-16.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x with each element dropped with probability p, the others scaled up."""
        if not self.training or x.device.type != "cpu" or not 0 < self.p < 1:
            return super().forward(x)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        noise = torch.empty_like(x, dtype=torch.int16)  # laid out in memory as x is
        noise.as_strided((x.numel(),), (1,)).copy_(words.view(torch.int16)[: x.numel()])
        is_kept = noise >= min(round(self.p * 2**16) - 2**15, 2**15 - 1)
        return x * is_kept.to(x.dtype).mul_(1 / (1 - self.p))


class CNN(nn.Module):
    """Four convolutions, two poolings and three linear layers; 867,418 parameters.

    Attributes
    ----------
    feature_extractor : nn.Sequential
        (N, 1, 28, 28) -> (N, 64, 7, 7).
    avg_pooling : nn.AdaptiveAvgPool2d
        To (N, 64, 7, 7) whatever the size of the image.
    classifier : nn.Sequential
        (N, 3136) -> (N, 10).
    """

    def __init__(self) -> None:
        super().__init__()
        self.feature_extractor = nn.Sequential(
            *_convolution(1, 8),
            *_convolution(8, 32),
            nn.MaxPool2d(2),
            Dropout(DROPOUT),
            *_convolution(32, 32),
            *_convolution(32, 64),
            nn.MaxPool2d(2),
            Dropout(DROPOUT),
        )
        self.avg_pooling = nn.AdaptiveAvgPool2d(POOLED_SIZE)
        self.classifier = nn.Sequential(
            nn.Linear(64 * 7 * 7, 256),
            nn.LeakyReLU(NEGATIVE_SLOPE),
            Dropout(DROPOUT),
            nn.Linear(256, 128),
            nn.LeakyReLU(NEGATIVE_SLOPE),
            Dropout(DROPOUT),
            nn.Linear(128, 10),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of the ten classes.

        Parameters
        ----------
        x : torch.Tensor of float, shape (N, 1, H, W)
            Grey images in [0, 1]; H = W = 28 for Fashion-MNIST, at least 4. Converted to
            the precision of the weights.

        Returns
        -------
        torch.Tensor, shape (N, 10)

        Raises
        ------
        TypeError, ValueError
            If x is not a float tensor of that shape.
        """
        _check_images(x)
        x = x.to(self.classifier[0].weight.dtype)
        x = self.feature_extractor(x)  # (N, 64, H / 4, W / 4)
        if x.shape[-2:] != POOLED_SIZE:  # else each average would be of one pixel
            x = self.avg_pooling(x)  # (N, 64, 7, 7)
        return self.classifier(torch.flatten(x, start_dim=1))  # (N, 10)


def _convolution(channels_in: int, channels_out: int) -> tuple[nn.Conv2d, nn.LeakyReLU]:
    """Return a 3 x 3 convolution that keeps height and width, and its activation."""
    return (
        nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1),
        nn.LeakyReLU(NEGATIVE_SLOPE),
    )


def _check_images(x: torch.Tensor) -> None:
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        came = x.dtype if isinstance(x, torch.Tensor) else type(x).__name__
        raise TypeError(f"x must be a float tensor of images, got {came}")
    if x.ndim != 4 or x.shape[1] != 1 or min(x.shape[2:]) < 4:
        raise ValueError(f"x must have shape (N, 1, H, W), H and W >= 4, got {tuple(x.shape)}")
