"""ResNet-18 as a reader of whole pictures: TPSMM's control points and background motion."""

import torch
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from animators.nn.background import IDENTITY, background_matrix
from animators.nn.precision import at_least_float32, full_precision


def residual_encoder(in_channels: int, outputs: int, width: int = 64) -> ResNet:
    """Make a fresh ResNet-18 with one linear layer behind its global mean.

    Names, arithmetic and initial weights are torchvision's, which TPSMM takes untrained.

    Args:
        in_channels: C of the input.
        outputs: numbers that it gives for each picture.
        width: channels of the first stage, doubled by each of the three that follow; the stem
            has 64 whatever this is.
    """
    stages = (width, 2 * width, 4 * width, 8 * width)
    return ResNet(
        BasicBlock,  # type: ignore[arg-type]  # timm's annotation lacks `type[...]`
        (2, 2, 2, 2),
        num_classes=outputs,
        in_chans=in_channels,
        channels=stages,
        # torchvision's residual branches begin at one, timm's own at zero
        zero_init_last=False,
    )


def read_numbers(encoder: ResNet, images: Tensor) -> Tensor:
    """Run the encoder on (B, C, H, W): (B, outputs).

    Its last layer runs in at least float32: bfloat16 rounds numbers near 1 to 1/256, which is half
    a pixel of 256.
    """
    pooled = encoder.forward_head(encoder.forward_features(images), pre_logits=True)
    with full_precision(images):
        numbers: Tensor = encoder.get_submodule("fc")(at_least_float32(pooled))
        return numbers


class ControlPoints(nn.Module):
    """Control points of K splines in a picture, unsupervised (TPSMM).

    Args:
        num_splines: K.
        points_per_spline: N.
        width: of the encoder.
    """

    def __init__(self, num_splines: int, points_per_spline: int, *, width: int = 64) -> None:
        super().__init__()
        self.encoder = residual_encoder(3, 2 * num_splines * points_per_spline, width)

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, H, W) in [0, 1] to (B, K N, 2); each N neighbours belong to one spline."""
        squashed = 2 * read_numbers(self.encoder, images).sigmoid() - 1
        return torch.unflatten(squashed, 1, (-1, 2))


class BackgroundMotion(nn.Module):
    """Affine motion of the background between two pictures (TPSMM).

    It begins as the identity.

    Args:
        width: of the encoder.
    """

    def __init__(self, *, width: int = 64) -> None:
        super().__init__()
        self.encoder = residual_encoder(6, len(IDENTITY), width)
        head = self.encoder.get_submodule("fc")
        nn.init.zeros_(head.get_parameter("weight"))
        head.bias = nn.Parameter(torch.tensor(IDENTITY))

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        """Driving to source coordinates of pictures (B, 3, H, W): (B, 3, 3)."""
        return background_matrix(read_numbers(self.encoder, torch.cat([source, driving], dim=1)))
