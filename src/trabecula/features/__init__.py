"""Study -> FeatureTable: radiomics of the region and the average-pool vector of a ResNet-50."""

from .extract import extract_features
from .radiomics import Radiomics
from .resnet import ResNetFeatures

__all__ = ["Radiomics", "ResNetFeatures", "extract_features"]
