"""Regions for networks on a GPU, gathered until a batch is full; the next films are read and cropped meanwhile."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..records import Extractor
from .cache import write_row
from .resnet import Fed, ResNetFeatures

_WRITERS = 8  # a row's way to the disk is longer than a GPU's to its numbers


@dataclass(frozen=True, eq=False)
class Waiting:
    """A cropped region of the extractor ``name``; ``key`` is the digest of its film and itself."""

    name: str
    key: str
    fed: Fed


@dataclass(frozen=True, eq=False)
class Batches:
    """Gathers regions of several networks; computes and stores a batch as soon as it is full, the rest at the end."""

    extractors: dict[str, ResNetFeatures]
    cache: Path
    writers: ThreadPoolExecutor
    gathered: dict[str, list[Waiting]] = field(default_factory=dict)
    stored: list[Iterator[None]] = field(default_factory=list)

    @classmethod
    @contextmanager
    def of(cls, extractors: Iterable[Extractor], cache: Path) -> Iterator["Batches"]:
        """Batches for those of the extractors that compute on a GPU; all is stored when the block is left."""
        chosen = {one.name: one for one in extractors if isinstance(one, ResNetFeatures) and one.on_gpu}
        with ThreadPoolExecutor(_WRITERS) as writers:
            made = cls(chosen, cache, writers)
            yield made
            for name, waiting in made.gathered.items():
                made._compute(name, waiting)
            made._wait()

    def add(self, waiting: Iterable[Waiting]) -> None:
        """Take what one film gave, and compute what has become full."""
        for one in waiting:
            gathered = self.gathered.setdefault(one.name, [])
            gathered.append(one)
            if len(gathered) >= self.extractors[one.name].batches().batch:
                self._compute(one.name, gathered)
                gathered.clear()

    def _compute(self, name: str, waiting: Sequence[Waiting]) -> None:
        extractor = self.extractors[name]
        rows = extractor.compute([one.fed for one in waiting]) if waiting else []
        self._wait()
        keys = [one.key for one in waiting]
        self.stored.append(self.writers.map(lambda key, row: write_row(self.cache, extractor, key, row), keys, rows))

    def _wait(self) -> None:
        """Until the rows of the batch before are on disk; what hindered one is raised here."""
        while self.stored:
            list(self.stored.pop())
