import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pynetdicom")
pytest.importorskip("dicomweb_client")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
INSIDE = ("in_namespace.py", "receiving_in_namespace.py")


@pytest.mark.parametrize("inside", INSIDE)
def test_everything_with_a_real_orthanc_in_a_network_of_its_own(request, inside):
    orthanc = shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin")
    if orthanc is None or not PLUGIN.exists() or shutil.which("storescu") is None:
        pytest.skip("orthanc, orthanc-dicomweb and dcmtk are not all installed")
    private = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    tried = subprocess.run([*private, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no private network here: {tried.stderr.strip()}")
    bundle = str(request.getfixturevalue("made").path)
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "0",
        "-q",
        "-p",
        "no:cacheprovider",
        str(Path(__file__).with_name(inside)),
    ]
    ran = subprocess.run(
        [*private, *tests],
        env={**os.environ, "TRABECULA_BUNDLE": bundle, "TRABECULA_ORTHANC": orthanc, "no_proxy": "127.0.0.1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert ran.returncode == 0, ran.stdout[-20000:] + ran.stderr[-2000:]
    assert re.search(r"\d+ passed", ran.stdout)
    assert not re.search(r"\d+ skipped", ran.stdout)
