"""Study -> FeatureTable: radiomics of the region and the average-pool vector of a ResNet-50."""

from .diagnostics import Diagnostics
from .extract import extract_features
from .radiomics import Radiomics
from .resnet import ResNetFeatures

__all__ = ["Diagnostics", "Radiomics", "ResNetFeatures", "extract_features"]
