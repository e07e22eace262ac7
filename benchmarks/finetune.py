"""What tuning costs: processor seconds for a picture and an epoch, ResNet-50 at 224 x 224, one thread.

    python benchmarks/finetune.py [PICTURES]

Noise pictures and random weights: the time does not depend on them. The first epoch is told apart from the others, as
layers that are not learnt are computed once where pictures are not augmented.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from trabecula.features.finetune import Examples, tune
from trabecula.features.weights import draw_untrained
from trabecula.settings import FinetuneSettings

SIZE, EPOCHS = 224, 3
VARIANTS = {
    "last stage": FinetuneSettings(epochs=EPOCHS, patience=None),
    "last stage, not augmented": FinetuneSettings(epochs=EPOCHS, patience=None, augment=None),
    "whole network": FinetuneSettings(layers="all", epochs=EPOCHS, patience=None, learning_rate=1e-6),
}


def main(pictures: int = 32) -> None:
    """Print one line a variant."""
    shown = np.random.default_rng(0).random((pictures, SIZE, SIZE), dtype=np.float32)
    codes = np.arange(pictures) % 3
    examples = Examples(shown, np.arange(pictures), codes, np.zeros(pictures, bool))
    weights = draw_untrained()
    for name, rules in VARIANTS.items():
        ends = [time.process_time()]
        with tempfile.TemporaryDirectory() as folder:
            tune(
                weights, ("0", "1", "2"), examples, rules, 0, Path(folder) / "c",
                progress=lambda *_, ends=ends: ends.append(time.process_time()),
            )  # fmt: skip
        first, *others = np.diff(ends)
        later = np.mean(others) / pictures
        print(f"{name}: {later:.3f} s a picture and epoch, the first epoch {(first - later * pictures):.1f} s more")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
