"""Write the study folder of 240 real AP spine films (720 regions, 118 patients) from the shared data.

    python examples/spine_ap.py ../shared/data/spine-xray-ap-landmarks ap-study
    trabecula run ap-study

Three classes by spinal level (T4, T10, L3), three regions a film, several films of some patients: a
task with a known answer that exercises the whole study on real radiographs. Its classes are no fractures.
"""

import csv
import os
import sys
from pathlib import Path

STUDY = """\
# Spinal level from one vertebra of an AP film: 0 = T4, 1 = T10, 2 = L3. Research use only.
schema: 1
name: spine-ap-region3
classes: ["0", "1", "2"]
data:
  cases: cases.csv
  columns: {mask: region, mask_value: region_value, vertebra: level}
split: {internal: 0.2}        # a fifth of the patients is drawn once and kept shut
deep: {weights: [untrained]}  # a stated, seeded initialisation: NOT pre-trained features
"""


def write_study(data: Path, folder: Path) -> None:
    """Write study.yaml and cases.csv; the films stay where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    with (data / "task_region3.csv").open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    for row in rows:
        for column in ("image", "mask"):
            row[column] = Path(os.path.relpath(data / row[column], folder)).as_posix()
    with (folder / "cases.csv").open("w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} cases -> {folder}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: python {sys.argv[0]} DATA STUDY")
    write_study(Path(sys.argv[1]), Path(sys.argv[2]))
