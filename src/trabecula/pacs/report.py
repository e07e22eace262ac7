"""An answer as a TID 1500 measurement report: coded class, probabilities, outline; what has no code, in words."""

from typing import Any

from .. import __version__
from .finding import TRABECULA_UID, Finding, outline

SCHEME = "99TRAB"


def measurement_report(finding: Finding) -> Any:
    """The content of the report."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    device = sr.DeviceObserverIdentifyingAttributes(
        TRABECULA_UID, name="Trabecula", manufacturer_name="Trabecula", model_name="Trabecula"
    )
    observer = sr.ObservationContext(observer_device_context=sr.ObserverContext(codes.DCM.Device, device))
    radiography = sr.CodedConcept("363680008", "SCT", "Radiographic imaging procedure")
    group = _group(finding)
    _add_words(group, finding)
    return sr.MeasurementReport(observer, radiography, [group], title=codes.DCM.ImagingMeasurementReport)


def _group(finding: Finding) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    header, answer = finding.header, finding.answer
    source = sr.SourceImageForRegion(header.SOPClassUID, header.SOPInstanceUID)
    numbers = {name: number for number, name in enumerate(answer.probabilities)}
    predicted = sr.CodedConcept(f"CLASS{numbers[answer.predicted]}", SCHEME, _meaning(f"Class {answer.predicted}"))
    probabilities = [
        sr.Measurement(
            sr.CodedConcept(f"PROB{k}", SCHEME, _meaning(f"Probability of class {name}")), p, codes.UCUM.NoUnits
        )
        for (name, k), p in zip(numbers.items(), answer.probabilities.values(), strict=True)
    ]
    of = [f"bundle {answer.bundle}", answer.model]
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        sr.TrackingIdentifier(finding.uid("tracking"), "vertebra"),
        referenced_region=sr.ImageRegion(sr.GraphicTypeValues.POLYLINE, outline(finding.region.inside), source),
        algorithm_id=sr.AlgorithmIdentification("Trabecula", __version__, of),
        finding_sites=[sr.FindingSite(codes.SCT.Vertebra)],
        measurements=probabilities,
        qualitative_evaluations=[
            sr.QualitativeEvaluation(sr.CodedConcept("PREDICTED", SCHEME, "Most probable class"), predicted)
        ],
    )


def _add_words(group: Any, finding: Finding) -> None:
    """Warnings and the set of classes, which have no code, as comments (TID 1411 is extensible)."""
    from highdicom.sr import RelationshipTypeValues, TextContentItem
    from pydicom.sr.codedict import codes

    answer = finding.answer
    kept = ", ".join(answer.prediction_set) or "none"
    said = [answer.use, f"Classes of the prediction set at {answer.level:.0%}: {kept}"]
    said += [f"Warning: {words}" for words in answer.warnings]
    for words in said:
        item = TextContentItem(codes.DCM.Comment, words, RelationshipTypeValues.CONTAINS)
        group[0].ContentSequence.append(item)


def _meaning(words: str) -> str:
    return words if len(words) <= 64 else words[:61] + "..."
