"""The digital phantom of IBSI 1 (doi 10.1148/radiol.2020191145): the installation's own copy against the shared one."""

import csv

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from trabecula import cli
from trabecula.features import ibsi
from trabecula.features.ibsi import Comparison, Reference, digital_phantom, references

ROOT = ("data", "radiomics-reference", "ibsi")
PHANTOM = (*ROOT, "data_sets", "ibsi_1_digital_phantom", "nifti")


@pytest.fixture(scope="module")
def published(shared):
    with shared(*ROOT, "ibsi_1_reference_values", "ibsi_1_dig_phantom.csv").open() as file:
        rows = [row for row in csv.DictReader(file, delimiter=";") if row["reference value"]]
    return {row["tag"]: (float(row["reference value"]), float(row["tolerance"] or 0)) for row in rows}


def test_the_phantom_is_the_published_one(shared):
    image, mask = (
        np.asarray(nibabel.load(shared(*PHANTOM, kind, f"{name}.nii.gz")).dataobj)
        for kind, name in (("image", "phantom"), ("mask", "mask"))
    )
    ours = np.array([[list(map(int, row)) for row in rows] for rows in ibsi._PHANTOM])
    assert np.array_equal(ours, np.where(mask > 0, image, 0).astype(int).T)


def test_the_references_are_the_published_ones(published):
    assert {one.tag: (one.value, one.tolerance) for one in references()}.items() <= published.items()


@pytest.mark.parametrize("compared", digital_phantom(), ids=lambda one: one.reference.tag)
def test_every_value_is_the_consensus(compared):
    assert compared.agrees, compared


def test_every_two_dimensional_reference_is_tried_or_named(published):
    texture = {tag for tag in published if tag.endswith(("_2D_avg", "_2D"))}
    other_class = {tag for tag in texture if tag.startswith("dzm_")}  # grey level distance zones: not PyRadiomics'
    no_feature = {"ngl_glnu_norm_2D", "ngl_dc_perc_2D", "ngl_dc_energy_2D"}  # PyRadiomics dropped them
    tried = {one.tag for one in references()}
    assert texture - other_class - no_feature == tried - {tag for tag in tried if tag.startswith(("stat_", "ih_"))}


@pytest.mark.parametrize(("value", "agrees"), [(2.145, True), (2.135, True), (2.146, False), (2.13, False)])
def test_a_value_agrees_when_it_rounds_to_the_consensus(value, agrees):
    assert Comparison(Reference("tag", "feature", 2.14, 0.0), value).agrees == agrees


def test_the_command_prints_every_verdict_and_fails_when_one_does(monkeypatch):
    done = CliRunner().invoke(cli.app, ["ibsi"])
    assert done.exit_code == 0
    assert done.output.count("agrees") == len(references())
    wrong = Comparison(references()[0], 99.0)
    monkeypatch.setattr(ibsi, "digital_phantom", lambda: [wrong])
    failed = CliRunner().invoke(cli.app, ["ibsi"])
    assert failed.exit_code == 1
    assert "differs" in failed.output
