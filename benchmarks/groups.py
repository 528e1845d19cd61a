"""Which metrics a group holds, and the networks that they share."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from torchmetrics import Metric

from animators.metrics import Averaging
from benchmarks.extras import Extras


class Networks:
    """Networks from outside, each opened when it is first asked for and looking once at a frame.

    Reuse one object for all rows of a table: the real frames are looked at once.
    """

    @cached_property
    def mesh(self) -> Any:
        """The face mesh."""
        from animators.metrics.remembered import RememberedLandmarks
        from animators.pretrained.detectors import MeshLandmarks

        return RememberedLandmarks(MeshLandmarks(), shares=False)

    @cached_property
    def dlib(self) -> Any:
        """The identity network of dlib."""
        from animators.metrics.remembered import RememberedEmbedder
        from animators.pretrained.detectors import DlibIdentity

        return RememberedEmbedder(DlibIdentity(mesh=self.mesh))

    @cached_property
    def blazepose(self) -> Any:
        """BlazePose."""
        from animators.metrics.remembered import RememberedLandmarks
        from animators.pretrained.body import BodyLandmarks

        return RememberedLandmarks(BodyLandmarks())

    @cached_property
    def mobilenet(self) -> Any:
        """MobileNetV2, in place of a person re-identification network."""
        from animators.metrics.remembered import RememberedEmbedder
        from animators.pretrained.person import MobileNetIdentity

        return RememberedEmbedder(MobileNetIdentity())

    @cached_property
    def brisque(self) -> Any:
        """A judge of quality that needs no reference."""
        from animators.pretrained.quality import Brisque

        return Brisque()

    @cached_property
    def frames(self) -> Any:
        """VGG-16's features of frames."""
        from animators.pretrained.features import Vgg16Features

        return Vgg16Features()

    @cached_property
    def videos(self) -> Any:
        """VGG-16's features of clips."""
        from animators.pretrained.features import Vgg16ClipFeatures

        return Vgg16ClipFeatures()

    @cached_property
    def inception(self) -> Any:
        """The network of FID."""
        from animators.pretrained.features import InceptionFeatures

        return InceptionFeatures()

    @cached_property
    def resnext(self) -> Any:
        """The network of LIA's video FID."""
        from animators.pretrained.features import ResNeXt3d

        return ResNeXt3d()

    @cached_property
    def hyperiqa(self) -> Any:
        """LIA-X's judge of quality."""
        from animators.pretrained.hyperiqa import HyperIqa

        return HyperIqa()

    @cached_property
    def arcface(self) -> Any:
        """ArcFace."""
        from animators.metrics.remembered import RememberedEmbedder
        from animators.pretrained.arcface import ArcFaceIdentity

        return RememberedEmbedder(ArcFaceIdentity(mesh=self.mesh))

    @cached_property
    def fan(self) -> Any:
        """2D-FAN."""
        from animators.metrics.remembered import RememberedLandmarks
        from animators.pretrained.fan import FanLandmarks

        return RememberedLandmarks(FanLandmarks(), shares=False)


PAPERS = ("fid_inception", "resnext3d_kinetics", "hyperiqa", "arcface")
"""Files of the papers' networks."""

PAPERS_POINTS = ("fan", "fan_detector")
"""Those of the points, which are looked for where there are right frames."""


Group = Callable[[Networks, Averaging, bool], Iterable[Metric]]


def _faces(networks: Networks, averaging: Averaging, cross: bool) -> Iterable[Metric]:
    from animators.metrics import expression, identity, keypoints

    if not cross:
        yield keypoints.AverageKeypointDistance(averaging, networks.mesh)
        yield keypoints.MissingKeypointRate(averaging, networks.mesh)
        yield expression.EyesError(averaging, networks.mesh)
        yield expression.MouthError(averaging, networks.mesh)
        yield identity.AverageEuclideanDistance(averaging, networks.dlib)
    yield identity.CosineIdentity(averaging, networks.dlib)
    yield identity.IdentityDistance(averaging, networks.dlib)
    yield identity.IdentityMissing(averaging, networks.dlib, of_source=cross)


def _bodies(networks: Networks, averaging: Averaging, cross: bool) -> Iterable[Metric]:
    from animators.metrics import identity, jitter, keypoints

    if cross:  # the driving body's points are somebody else's
        yield identity.CosineIdentity(averaging, networks.mobilenet)
        return
    yield keypoints.AverageKeypointDistance(averaging, networks.blazepose)
    yield keypoints.MissingKeypointRate(averaging, networks.blazepose)
    yield jitter.Jitter(averaging, networks.blazepose)
    yield identity.AverageEuclideanDistance(averaging, networks.mobilenet)


def _distances(networks: Networks, averaging: Averaging, cross: bool) -> Iterable[Metric]:
    from animators.metrics import frechet

    # in reconstruction against the driving frames, in animation of others against the sources
    yield frechet.FrechetDistance(networks.frames, against="source" if cross else "target")
    yield frechet.VideoFrechetDistance(networks.videos)


def _quality(networks: Networks, averaging: Averaging, cross: bool) -> Iterable[Metric]:
    from animators.metrics import quality

    yield quality.ImageQuality(averaging, networks.brisque)


def _papers(networks: Networks, averaging: Averaging, cross: bool) -> Iterable[Metric]:
    from animators.metrics import frechet, identity, keypoints, quality
    from animators.pretrained.files import resolve

    # one error for all that is missing, and not one after the other
    resolve(*PAPERS, *(() if cross else PAPERS_POINTS))
    yield frechet.FrechetDistance(networks.inception, against="source" if cross else "target")
    yield frechet.VideoFrechetDistance(networks.resnext)
    yield quality.ImageQuality(averaging, networks.hyperiqa)
    yield identity.CosineIdentity(averaging, networks.arcface)
    yield identity.IdentityDistance(averaging, networks.arcface)
    yield identity.IdentityMissing(averaging, networks.arcface, of_source=cross)
    if not cross:
        yield keypoints.AverageKeypointDistance(averaging, networks.fan)
        yield keypoints.MissingKeypointRate(averaging, networks.fan)


def _pixels(networks: Networks, averaging: Averaging, cross: bool) -> Iterable[Metric]:
    return ()


BUILD: dict[str, Group] = {
    "faces": _faces, "bodies": _bodies, "distances": _distances,
    "quality": _quality, "papers": _papers,
    "pixels": _pixels,
}  # fmt: skip


def build(
    groups: Sequence[str], averaging: Averaging, networks: Networks, *, cross: bool
) -> Extras:
    """Build the metrics of groups.

    Args:
        groups: keys of `BUILD`.
        averaging: of those with a number for each frame.
        networks: opened as they are needed.
        cross: whether pictures are animated by others, whose frames are no goal for them.

    Raises:
        ValueError: a package that a network wants is not installed.
        WeightsNotFound: a network's file is nowhere.
    """
    from animators.metrics.jitter import Flicker

    found: list[Metric] = [Flicker(averaging)]
    for group in dict.fromkeys(groups):
        found += BUILD[group](networks, averaging, cross)
    return Extras(found)
