"""A bundle's answer about a DICOM film -> a folder with its JSON and its DICOM results."""

from collections.abc import Mapping
from pathlib import Path

from ..records import Region, Xray
from ..storage import write_atomically
from ..workflow.heat import heat_map
from ..workflow.predict import Answer, Predictor
from .finding import Finding, read_header
from .results import asked_kinds, write_results


def write_answer(
    predictor: Predictor,
    image: Path,
    drawn: tuple[Xray, Region],
    answer: Answer,
    values: Mapping[str, str],
    site: str,
    kinds: str,
    folder: Path,
) -> list[Path]:
    """Write ``<film>-<kind>.dcm`` for each of ``kinds``, "seg,sr,sc", and ``<film>.json``; their paths, in that order.

    A later call with the same film, region, question and bundle writes results of the same names.
    """
    wanted = asked_kinds(kinds)
    header = read_header(image)
    asked = {**values, "site": site, "level": f"{predictor.level:g}"}
    heat = heat_map(predictor, *drawn, values, site) if "sc" in wanted else None
    paths = write_results(Finding(header, *drawn, answer, asked, heat), wanted, folder, image.stem)
    said = folder / f"{image.stem}.json"
    write_atomically(said, answer.to_json())
    return [*paths, said]
