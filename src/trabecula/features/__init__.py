"""Study -> FeatureTable: radiomics of the region and the average-pool vector of a ResNet-50."""

from .diagnostics import Diagnostics
from .extract import extract_features, is_new
from .morphometry import Morphometry
from .radiomics import Radiomics
from .resnet import ResNetFeatures
from .stability import Perturbation, load_perturbed, perturbed_digests, stability_table

__all__ = [
    "Diagnostics",
    "Morphometry",
    "Perturbation",
    "Radiomics",
    "ResNetFeatures",
    "extract_features",
    "is_new",
    "load_perturbed",
    "perturbed_digests",
    "stability_table",
]
