"""Six clicks against real lateral films: how well two sets of clicks agree, and how near outlines drawn by hand come.

    python benchmarks/outline.py [FOLDER] [PICTURE.png]

FOLDER holds the films of ../shared/data/spine-xray-lateral-landmarks. Every thoracic and lumbar vertebra is clicked
twice, off by 2.5 % of its depth (Gaussian, in each direction). The films' own outlines are straight lines between four
corners. PICTURE shows the best and the worst vertebra.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from trabecula.reading.outline import fill, snap, through_points

FOUR = [0, 2, 3, 5]
METHODS = {
    "four-corner polygon": lambda _film, clicks: clicks[FOUR],
    "six-point polygon": lambda _film, clicks: clicks,
    "six-point curve": lambda _film, clicks: through_points(clicks),
    "curve snapped to the edge": snap,
}


def main(folder: Path, picture: Path | None) -> None:
    """Print a row for each method."""
    cases = list(read(folder))
    print(f"{len(cases)} vertebrae  Dice to the outline  between click sets   ms")
    for name, method in METHODS.items():
        start = time.process_time()
        drawn = [[method(film, clicks) for clicks in sets] for film, _, sets, _ in cases]
        spent = (time.process_time() - start) / len(cases) / 2 * 1e3
        masks = [[fill(line, case[1].shape) for line in lines] for case, lines in zip(cases, drawn, strict=True)]
        hit = [np.mean([dice(mask, case[1]) for mask in two]) for case, two in zip(cases, masks, strict=True)]
        same = [dice(*two) for two in masks]
        print(f"{name:26} {spread(hit)}   {spread(same)} {spent:5.1f}")
    if picture:
        order = np.argsort(hit)
        show([(cases[at], drawn[at][0], hit[at]) for at in (*order[-2:], *order[:2])], picture)


def read(folder: Path):
    """Film around the vertebra, mask, two sets of clicks, name."""
    corners = pd.read_csv(folder / "vertebrae.csv")
    for name, rows in corners[corners["mask_value"] >= 6].groupby("image_id"):
        film = np.asarray(Image.open(folder / "images" / f"{name}.png").convert("L"))
        labels = np.asarray(Image.open(folder / "masks" / f"{name}.png"))
        for row in rows.to_dict("records"):
            back_top, front_top, front_low, back_low = (
                np.array([row[f"x_{corner}"], row[f"y_{corner}"]]) for corner in ("TB", "TF", "BF", "BB")
            )
            tops, lows = (front_top + back_top) / 2, (front_low + back_low) / 2
            points = np.array([front_top, tops, back_top, back_low, lows, front_low])
            start = np.maximum(points.min(axis=0) - 60, 0).astype(int)
            end = (points.max(axis=0) + 60).astype(int)
            part = slice(start[1], end[1]), slice(start[0], end[0])
            rng = np.random.default_rng([int(name[-3:]), row["mask_value"]])
            depth = np.linalg.norm(back_top - front_top)
            sets = [points - start + rng.normal(0, 0.025 * depth, (6, 2)) for _ in range(2)]
            yield film[part].astype(np.float64), labels[part] == row["mask_value"], sets, f"{name} {row['vertebra']}"


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Twice the overlap over the sum of the areas."""
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def spread(values: list[float]) -> str:
    """Mean, and the fifth worst of a hundred."""
    return f"{np.mean(values):.3f} (5 %: {np.quantile(values, 0.05):.3f})"


def show(rows, picture: Path) -> None:
    """The film with its own outline (blue), the clicks (yellow) and what was drawn from them (orange)."""
    sheet = Image.new("RGB", (4 * 400, 430), "black")
    pen = ImageDraw.Draw(sheet)
    for number, ((film, inside, sets, name), line, hit) in enumerate(rows):
        scale = 400 / max(film.shape)
        low, high = np.percentile(film, (1, 99))
        grey = Image.fromarray((np.clip((film - low) / (high - low), 0, 1) * 255).astype(np.uint8))
        sheet.paste(
            grey.resize([round(side * scale) for side in grey.size], Image.Resampling.BICUBIC), (400 * number, 0)
        )
        rim = inside & ~(
            np.roll(inside, 1, 0) & np.roll(inside, -1, 0) & np.roll(inside, 1, 1) & np.roll(inside, -1, 1)
        )
        for y, x in np.argwhere(rim):
            at = (400 * number + (x + 0.5) * scale, (y + 0.5) * scale)
            pen.ellipse([at[0] - 1, at[1] - 1, at[0] + 1, at[1] + 1], fill="#56b4e9")
        closed = np.vstack([line, line[:1]])
        pen.line([(400 * number + (x + 0.5) * scale, (y + 0.5) * scale) for x, y in closed], fill="#e69f00", width=2)
        for x, y in sets[0]:
            at = (400 * number + (x + 0.5) * scale, (y + 0.5) * scale)
            pen.ellipse([at[0] - 3, at[1] - 3, at[0] + 3, at[1] + 3], outline="#f0e442", width=2)
        pen.text((400 * number + 8, 408), f"{name}  Dice {hit:.3f}", fill="white")
    sheet.save(picture)


if __name__ == "__main__":
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/spine-xray-lateral-landmarks")
    main(data, Path(sys.argv[2]) if len(sys.argv) > 2 else None)
