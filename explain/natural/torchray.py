r"""TorchRay's networks: VGG16 and ResNet-50 for PASCAL VOC 2007 and MS COCO 2014, from the files that it publishes.

They are those of the SISE paper: "from the TorchRay library (Fong, Patrick, and Vedaldi 2019), trained by (Zhang et al.
2018)". The training was Caffe's, and so is the form of the files. Beside torchvision's networks

- the first convolution takes blue, green, red; and grey levels, 0 to 255, less the mean;
- all max-poolings round their size up; ResNet-50's first pads nothing;
- ResNet-50's first convolution has a bias, and the stride of 2 at the beginning of a layer is in the first, narrowing
  convolution of the block;
- what torchvision holds as one batch normalisation is two modules, one for the statistics and one for scale and shift;
- VGG16's linear layers are numbered without the dropouts between them and may be stored as convolutions.

The network that comes out takes red, green, blue. Its images are in units of 64 grey levels, about the standard deviation
of a photograph's, which `explain.engines` expects of a model-ready image; a power of two, so that no digit is lost.

The head looks at any size from 224 pixels up: at every place where it fits, and the mean of the answers is the network's.
As convolutions (7 x 7, then 1 x 1) it would say the same.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from severstal_xai.errors import InputError, about
from severstal_xai.files import sha256_of
from severstal_xai.model import build_classifier

Dataset = Literal["voc2007", "coco2014"]
Architecture = Literal["vgg16", "resnet50"]
NETWORKS: tuple[Architecture, ...] = get_args(Architecture)

CLASSES: Mapping[Dataset, int] = {"voc2007": 20, "coco2014": 80}
"""How many classes a network tells apart."""
LEAST_SIZE: Mapping[Architecture, int] = {"vgg16": 224, "resnet50": 64}
"""The smallest image, in pixels: VGG16's head needs 7 x 7 places, ResNet-50's a few."""
_ADDRESS = "https://dl.fbaipublicfiles.com/torchray/"
_FILES: Mapping[tuple[Dataset, Architecture], str] = {
    ("voc2007", "vgg16"): "vgg16_voc-b050e8c3.pth.tar",
    ("voc2007", "resnet50"): "resnet50_voc-9ca920d6.pth.tar",
    ("coco2014", "vgg16"): "vgg16_coco-d82c8150.pth.tar",
    ("coco2014", "resnet50"): "resnet50_coco-e99468c5.pth.tar",
}
_DIGEST = re.compile(r"-([0-9a-f]{8,64})\.")
"""In a file's name, what its SHA-256 begins with: the convention of torch's hub."""

_MEAN = (123.68, 116.779, 103.939)
"""Of the training images' red, green and blue, in grey levels."""
_UNIT = 64.0
_WINDOW = 7
_COUNTER = "num_batches_tracked"
"""Of a batch normalisation: of use in training alone, and not in every file."""


def weights_file(dataset: Dataset, architecture: Architecture) -> str:
    """Return the name of TorchRay's file."""
    return _FILES[dataset, architecture]


def check_weights(path: Path, dataset: Dataset, architecture: Architecture) -> str:
    """Return the SHA-256 of a file of weights.

    Raises:
        InputError: There is no such file, and the message says where it can be had; or its SHA-256 does not begin as its
            name says.
    """
    if not path.is_file():
        name = weights_file(dataset, architecture)
        digest = _DIGEST.search(name)
        begin = digest[1] if digest else ""
        raise InputError(
            f"weights {path}: no such file, expected TorchRay's {name}: download {_ADDRESS}{name} (its SHA-256 begins with "
            f"{begin}) and put it there"
        )
    checksum, named = sha256_of(path), _DIGEST.search(path.name)
    if named and not checksum.startswith(named[1]):
        raise InputError(
            f"weights {path}: its SHA-256 begins with {checksum[: len(named[1])]}, expected {named[1]} as in its name: "
            "download it again"
        )
    return checksum


def network_input(pixels: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "3 height width"]:
    """Return the model-ready image: red, green, blue, less the mean, in the networks' unit.

    Example:
        >>> network_input(np.full((1, 1, 3), 124, dtype=np.uint8)).round(2).ravel()
        array([0.  , 0.11, 0.31], dtype=float32)
    """
    centred = pixels.astype(np.float32) - np.array(_MEAN, dtype=np.float32)
    return np.ascontiguousarray(centred.transpose(2, 0, 1) / np.float32(_UNIT))


def load_network(path: Path, dataset: Dataset, architecture: Architecture) -> nn.Module:
    """Load one of TorchRay's networks: in eval mode, on the CPU, in float32, without gradients.

    Args:
        path: The file, as TorchRay publishes it.
        dataset: What it was trained on.
        architecture: Its network.

    Raises:
        InputError: The file is damaged, or not that network's; the message names the first tensor that does not fit.
    """
    build, rename, first = _NETWORKS[architecture]
    with about(f"weights {path}, as {architecture} for {dataset}"):
        network = build(CLASSES[dataset])
        tensors = _fit(_read(path), network.state_dict(), rename)
    tensors[first] = tensors[first][:, [2, 1, 0]] * _UNIT
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(False)


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or a foreign file makes of unpickling
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(f"cannot be read ({reason}), expected a file of tensors by their names") from error
    if not isinstance(content, dict):
        raise InputError(f"holds a {type(content).__name__}, expected tensors by their names")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise InputError(f"{key!r} is a {type(value).__name__}, expected a tensor")
    return content


Rename = Callable[[str], str]


def _fit(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], rename: Rename) -> dict[str, Tensor]:
    """Return a file's tensors by torchvision's names and in its shapes."""
    fitted = {name: torch.tensor(0) for name in expected if name.endswith(_COUNTER)}
    wanted = [name for name in expected if name not in fitted]
    for key, value in tensors.items():
        name = rename(key)
        if name.endswith(_COUNTER):
            continue
        if name not in expected:
            raise InputError(
                f"{key!r} is none of the network's tensors, expected one for {_missing(wanted, fitted)}"
            )
        if name in fitted:
            raise InputError(f"{key!r} is the second tensor for {name}, expected one")
        shape = expected[name].shape
        shaped = value.flatten(1) if value.ndim > 2 and len(shape) == 2 else value
        if shaped.shape != shape:
            raise InputError(f"{key!r} is of shape {tuple(value.shape)}, expected {tuple(shape)}")
        fitted[name] = shaped.float()
    if len(fitted) < len(expected):
        raise InputError(f"no tensor for {_missing(wanted, fitted)}, expected one")
    return fitted


def _missing(wanted: list[str], fitted: Mapping[str, Tensor]) -> str:
    """Return the first tensor that is still wanted; of a file that has all of them, none."""
    return next((name for name in wanted if name not in fitted), "none other")


class SlidingVGG(nn.Module):
    """VGG16 for images of any size: its head at every 7 x 7 places of its features, and the mean of the answers."""

    def __init__(self, features: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.classifier = classifier

    def forward(self, images: Any) -> Any:  # torch.fx traces it with a stand-in, which is no tensor
        """Return the logits (batch, classes) of images (batch, 3, height, width)."""
        windows = self.features(images).unfold(2, _WINDOW, 1).unfold(3, _WINDOW, 1)
        return self.classifier(windows.permute(0, 2, 3, 1, 4, 5).flatten(3)).mean(dim=(1, 2))


def _vgg16(classes: int) -> nn.Module:
    """Return the network without values."""
    with torch.device("meta"):
        plain = _rounding_up(build_classifier("vgg16", classes, seed=0))
        return SlidingVGG(plain.get_submodule("features"), plain.get_submodule("classifier"))


_VGG16_LINEAR = {"0": "0", "2": "3", "4": "6"}


def _vgg16_name(key: str) -> str:
    """Return torchvision's name of a tensor.

    Example:
        >>> _vgg16_name("features.0.bias"), _vgg16_name("classifier.4.weight")
        ('features.0.bias', 'classifier.6.weight')
    """
    return re.sub(r"^(classifier\.)(\w+)", lambda found: found[1] + _VGG16_LINEAR.get(found[2], "none"), key)


def _resnet50(classes: int) -> nn.Module:
    """Return the network without values; its head is a mean over the places, which takes any size as it is."""
    with torch.device("meta"):
        network = _rounding_up(build_classifier("resnet50", classes, seed=0))
        network.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3)
        network.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=0, ceil_mode=True)
    for layer in ("layer2", "layer3", "layer4"):
        for name, stride in (("conv1", 2), ("conv2", 1)):
            convolution = network.get_submodule(f"{layer}.0.{name}")
            assert isinstance(convolution, nn.Conv2d)
            convolution.stride = (stride, stride)
    return network


def _resnet50_name(key: str) -> str:
    """Return torchvision's name of a tensor.

    Example:
        >>> _resnet50_name("bn1.0.running_mean"), _resnet50_name("layer1.0.downsample.1.1.weight")
        ('bn1.running_mean', 'layer1.0.downsample.1.weight')
        >>> _resnet50_name("layer1.0.downsample.0.weight")
        'layer1.0.downsample.0.weight'
    """
    return re.sub(r"(bn\d|downsample\.\d)\.[01]\.(\w+)$", r"\1.\2", key)


def _rounding_up(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.MaxPool2d):
            module.ceil_mode = True
    return network


_NETWORKS: Mapping[Architecture, tuple[Callable[[int], nn.Module], Rename, str]] = {
    "vgg16": (_vgg16, _vgg16_name, "features.0.weight"),
    "resnet50": (_resnet50, _resnet50_name, "conv1.weight"),
}
"""How a network is built, how its file's names become torchvision's, and its first convolution."""
