"""Study -> FeatureTable: radiomics of the region and the average-pool vector of a ResNet-50."""

from .checkpoint import epochs_done
from .crop import CropFrame, InputPolicy, crop_frame, cut_film, cut_region
from .device import AskedDevice, Device, find_device
from .diagnostics import Diagnostics
from .extract import extract_features, is_new
from .gradcam import grad_cam, on_film, score_map, weights_on_features
from .morphometry import Morphometry
from .parameters import Parameters
from .parts import Done, drop_parts, extract_part, read_done
from .radiomics import DEFINITIONS, Radiomics
from .resnet import ResNetFeatures
from .scale import divisions, feature_scale, scale_notes
from .sight import film_facts
from .stability import Perturbation, load_perturbed, perturbed_digests, stability_table

__all__ = [
    "DEFINITIONS",
    "AskedDevice",
    "CropFrame",
    "Device",
    "Diagnostics",
    "Done",
    "InputPolicy",
    "Morphometry",
    "Parameters",
    "Perturbation",
    "Radiomics",
    "ResNetFeatures",
    "crop_frame",
    "cut_film",
    "cut_region",
    "divisions",
    "drop_parts",
    "epochs_done",
    "extract_features",
    "extract_part",
    "feature_scale",
    "film_facts",
    "find_device",
    "grad_cam",
    "is_new",
    "load_perturbed",
    "on_film",
    "perturbed_digests",
    "read_done",
    "scale_notes",
    "score_map",
    "stability_table",
    "weights_on_features",
]
