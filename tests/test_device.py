"""`--device`, from the command line to the table."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from trabecula import cli
from trabecula.errors import InvalidInput
from trabecula.workflow.extract import extract_table


@pytest.mark.parametrize("command", [["check"], ["run"], ["run", "--permute-labels"], ["extract", "-o", "f.csv"]])
def test_a_gpu_that_is_not_there_is_told_before_any_work(study_folder, monkeypatch, command):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    name, *options = command
    ended = CliRunner().invoke(cli.app, [name, str(study_folder.folder), *options, "--device", "cuda"])
    assert isinstance(ended.exception, InvalidInput)
    (fault,) = ended.exception.faults
    assert (fault.where, fault.found) == ("--device cuda", "no NVIDIA GPU that PyTorch can use")
    assert not (study_folder.folder / "cache").exists()


def test_a_table_made_in_batches_is_that_of_the_processor_and_says_so(study_folder, monkeypatch):
    study_folder.settings["deep"] = {"weights": ["untrained"], "size": 32}
    study_folder.save()
    found = {}
    for device in ("cpu", "cpu:0"):  # the second is torch's: what a GPU is given
        monkeypatch.setattr("trabecula.workflow.extract.find_device", lambda _asked, device=device: device)
        output = study_folder.folder / device[-1] / "f.parquet"
        extract_table(study_folder.folder, output, jobs=2)
        behind = pd.read_csv(output.with_name("f-diagnostics.csv"))
        digests = json.loads(behind["diagnostics_Configuration_Digests"][0])
        found[device] = pd.read_parquet(output), digests
    (cpu, kept), (torch, others) = found.values()
    assert list(cpu.columns) == list(torch.columns)
    deep = cpu.columns.str.startswith("resnet50_")
    assert cpu.loc[:, ~deep].equals(torch.loc[:, ~deep])
    apart = np.abs(cpu.loc[:, deep] - torch.loc[:, deep]).to_numpy().max()
    assert apart < 1e-5 * cpu.loc[:, deep].to_numpy().max()
    assert kept["radiomics"] == others["radiomics"]
    assert kept["deep-untrained"] != others["deep-untrained"]
