"""Whether a bundle is as it was written, and gives the answer here that it gave where it was made."""

import platform
from pathlib import Path

from ..bundle import read_bundle
from ..errors import Fault, InvalidInput
from .bundle_manifest import versions_here
from .bundling import AGREE, answer_example
from .predict import Predictor

ELSEWHERE = 1e-4  # of a probability, on another processor or with other versions


def verify(path: Path, *, expected: str | None = None, weights: str | None = None) -> list[str]:
    """What was found, a line each; raises InvalidInput where the bundle cannot be trusted here."""
    bundle = read_bundle(path)
    if expected is not None and expected.lower() != bundle.id:
        action = "Ask for the file again: it is whole, but not the one that you were told of."
        raise InvalidInput([Fault(path.name, f"id {bundle.id}", f"id {expected}", action)])
    here, machine = versions_here(), f"{platform.system()} {platform.machine()}"
    there = bundle.manifest.versions
    differ = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
    same = not differ and machine == bundle.manifest.machine
    off = _off(Predictor.of(bundle, weights=weights))
    limit = AGREE if same else ELSEWHERE
    if off > limit:
        action = "Install the versions that the bundle names: trabecula bundle show."
        found_off = f"an answer to the example that is off by {off:.1e}"
        raise InvalidInput([Fault(path.name, found_off, f"at most {limit:g}", action)])
    where = "the same versions and kind of machine" if same else "other versions or another kind of machine"
    lines = [
        f"id {bundle.id}",
        f"{len(bundle.parts)} parts are as the manifest says; every type in the model is on our list",
        f"the example is answered to within {off:.1e} of what is written ({limit:g} is asked: {where})",
    ]
    lines += [f"other here: {name} {here.get(name, 'absent')}, there {there.get(name, 'absent')}" for name in differ]
    return [*lines, *([] if expected else ["its id was not compared: give --id with the one that you were told"])]


def _off(predictor: Predictor) -> float:
    """How far the example's probabilities are from those that are written."""
    manifest = predictor.bundle.manifest
    try:
        found, wanted = answer_example(predictor), manifest.example.probabilities
        return max(abs(found[name] - wanted[name]) for name in manifest.classes)
    except InvalidInput:
        raise
    except Exception as error:  # noqa: BLE001 parts that are whole but not of one bundle fail in any way
        said = f"an example that cannot be answered ({type(error).__name__}: {' '.join(str(error).split())[:100]})"
        action = "Get the file again from its source."
        raise InvalidInput([Fault(predictor.bundle.path.name, said, "parts of one bundle", action)]) from None
