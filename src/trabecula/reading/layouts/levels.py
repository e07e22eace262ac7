"""Vertebral levels and their numbers, as VerSe counts them (doi:10.1016/j.media.2021.102166)."""

from collections.abc import Mapping, Sequence

from ...records import Case

VERSE: Mapping[int, str] = {
    **{n: f"C{n}" for n in range(1, 8)},
    **{n + 7: f"T{n}" for n in range(1, 13)},
    **{n + 19: f"L{n}" for n in range(1, 7)},
    28: "T13",
}
NUMBERS: Mapping[str, int] = {name: number for number, name in VERSE.items()}
LEVEL = "level"  # a column of the table of cases


def level_of(text: str) -> str:
    """A level as L1; "" for what is none. TH12, D12 and t12 are T12."""
    plain = text.strip().upper().replace("TH", "T").replace("D", "T")
    return plain if plain in NUMBERS else ""


def numbered(films: Sequence[Sequence[Case]]) -> dict[str, tuple[int, str]]:
    """For each case its number in the label map of its film, and what that number means.

    VerSe's number of its level, where every case of the study has one and no film has one twice; else its place among
    the cases of its film.
    """
    levels = {case.case_id: level_of(case.columns.get(LEVEL, "")) for film in films for case in film}
    told = all(levels.values()) and all(len({levels[case.case_id] for case in film}) == len(film) for film in films)
    if told:
        return {case_id: (NUMBERS[level], level) for case_id, level in levels.items()}
    several = any(len(film) > 1 for film in films)
    return {
        case.case_id: (place, f"vertebra {place}" if several else "vertebra")
        for film in films
        for place, case in enumerate(film, start=1)
    }
