"""Pretrained files of other people: where they are found, checked and opened."""

from animators.pretrained.arcface import ArcFaceIdentity
from animators.pretrained.body import BodyLandmarks
from animators.pretrained.detectors import DlibIdentity, MeshLandmarks
from animators.pretrained.face import Face, FaceDetector
from animators.pretrained.fan import FanLandmarks
from animators.pretrained.files import WeightsNotFound, resolve
from animators.pretrained.hyperiqa import HyperIqa
from animators.pretrained.identity import FaceIdentity
from animators.pretrained.landmarks import FaceMesh
from animators.pretrained.person import MobileNetIdentity
from animators.pretrained.quality import Brisque
from animators.pretrained.registry import REGISTRY, PackageFile, WeightFile, WheelFile
from animators.pretrained.trunks import alexnet_state, vgg16_state, vgg19_state

__all__ = [
    "REGISTRY",
    "ArcFaceIdentity",
    "BodyLandmarks",
    "Brisque",
    "DlibIdentity",
    "Face",
    "FaceDetector",
    "FaceIdentity",
    "FaceMesh",
    "FanLandmarks",
    "HyperIqa",
    "MeshLandmarks",
    "MobileNetIdentity",
    "PackageFile",
    "WeightFile",
    "WeightsNotFound",
    "WheelFile",
    "alexnet_state",
    "resolve",
    "vgg16_state",
    "vgg19_state",
]
