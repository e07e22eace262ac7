"""A study of phantom films whose regions are not drawn yet, with the truth beside it."""

import json

import numpy as np
from PIL import Image

from tests.outlines import corners_and_middles
from trabecula.phantom.anatomy import bodies
from trabecula.phantom.design import plan_study
from trabecula.phantom.film import HOSPITALS
from trabecula.phantom.write import render

SETTINGS = 'classes: ["0", "1", "2"]\ndata:\n  cases: cases.csv\n'


def undrawn_study(folder, cases=3):
    """Write the study; for each case its true region, six points on its outline and its body."""
    (folder / "images").mkdir(parents=True)
    truth, lines = {}, ["case_id,patient_id,image,region,region_value,label,cohort,level"]
    patients = [one for one in plan_study(60, 7) if not HOSPITALS[one.hospital].dicom][:cases]
    for patient in patients:
        film, mask = render(patient)
        hospital, vertebra, name = HOSPITALS[patient.hospital], patient.vertebrae[0], f"P{patient.number:04d}"
        Image.fromarray(film).save(folder / f"images/{name}.png")
        about = {"spacing_mm": [hospital.spacing] * 2, "anterior": "left"}
        (folder / f"images/{name}.json").write_text(json.dumps(about))
        (body,) = (b for b in bodies(patient, np.random.default_rng(patient.seed)) if b.level == vertebra.level)
        case_id = f"{name}_{body.level}"
        lines.append(f"{case_id},{name},images/{name}.png,,7,SECRET-CLASS,SECRET-COHORT,{body.level}")
        inside = mask == 20 + ("L1", "L2", "L3", "L4", "L5").index(body.level)
        truth[case_id] = inside, corners_and_middles(body, hospital.spacing), body
    (folder / "cases.csv").write_text("\n".join(lines) + "\n")
    (folder / "study.yaml").write_text(SETTINGS)
    return truth


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())
