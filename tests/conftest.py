"""Shapes and types are checked while tests run; shared material is found by TRABECULA_SHARED."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

with install_import_hook("trabecula", "beartype.beartype"):
    import trabecula  # noqa: F401

SHARED = Path(os.environ.get("TRABECULA_SHARED", Path(__file__).parents[2] / "shared"))
REQUIRED = os.environ.get("TRABECULA_REQUIRE_SHARED") == "1"


@pytest.fixture(scope="session")
def shared():
    """Give a function that finds a path in the shared material, or skips the test."""

    def find(*parts: str) -> Path:
        path = SHARED.joinpath(*parts)
        if not path.exists():
            message = f"shared material absent: {'/'.join(parts)}"
            if REQUIRED:
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find


def pytest_terminal_summary(terminalreporter):
    """Say last how many tests were skipped for want of the shared material."""
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "shared material absent" in str(r.longrepr)]
    terminalreporter.write_line(f"skipped because the shared material is absent: {len(skipped)}")
