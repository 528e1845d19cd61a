"""Pretrained files of other people: where they are found, checked and opened."""

from animators.pretrained.files import REGISTRY, PackageFile, WeightFile, WeightsNotFound, resolve
from animators.pretrained.trunks import alexnet_state, vgg16_state, vgg19_state

__all__ = [
    "REGISTRY",
    "PackageFile",
    "WeightFile",
    "WeightsNotFound",
    "alexnet_state",
    "resolve",
    "vgg16_state",
    "vgg19_state",
]
