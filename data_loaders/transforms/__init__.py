"""Changes to the signal between store and model, one idea per file."""

from data_loaders.transforms.base import Example, SignalInfo, Transform
from data_loaders.transforms.bipolar import Bipolar
from data_loaders.transforms.channels import Pick, Rereference
from data_loaders.transforms.deconvolution import Deconvolve
from data_loaders.transforms.filters import BandPass, Notch
from data_loaders.transforms.laplacian import Laplacian
from data_loaders.transforms.pointwise import Clamp, ScaleByType, SquareRoot
from data_loaders.transforms.resample import Resample
from data_loaders.transforms.scale import RobustScale, WindowScale
from data_loaders.transforms.select import SelectChannels

__all__ = [
    "BandPass", "Bipolar", "Clamp", "Deconvolve", "Example", "Laplacian", "Notch", "Pick", "Rereference", "Resample",
    "RobustScale", "ScaleByType", "SelectChannels", "SignalInfo", "SquareRoot", "Transform", "WindowScale",
]  # fmt: skip
