"""Write the table of 26 real lateral spine films (572 vertebrae, C3 to L5) from the shared data.

python examples/spine_lateral.py ../shared/data/spine-xray-lateral-landmarks lateral.csv
trabecula extract lateral.csv -o lateral.parquet --weights untrained
"""

import csv
import os
import sys
from pathlib import Path


def write_table(data: Path, table: Path) -> None:
    """One row a vertebra: case_id, patient_id, image, region and region_value; the films stay where they are."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as source:
        films = {row["image_id"]: row for row in csv.DictReader(source)}
    with (data / "vertebrae.csv").open(encoding="utf-8", newline="") as source:
        vertebrae = list(csv.DictReader(source))
    with table.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["case_id", "patient_id", "image", "region", "region_value", "level"])
        for row in vertebrae:
            film = films[row["image_id"]]
            image, mask = (Path(os.path.relpath(data / film[k], table.parent)).as_posix() for k in ("image", "mask"))
            case_id = f"{row['image_id']}_{row['vertebra']}"
            writer.writerow([case_id, row["image_id"], image, mask, row["mask_value"], row["vertebra"]])
    print(f"{len(vertebrae)} vertebrae of {len(films)} films -> {table}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: python {sys.argv[0]} DATA TABLE")
    write_table(Path(sys.argv[1]), Path(sys.argv[2]))
