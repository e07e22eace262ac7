"""How long one film takes: `trabecula predict` from a cold process, and twenty requests at once on `trabecula serve`.

python benchmarks/service.py BUNDLE [BUNDLE...]: each is asked about the simulated film that it holds.
"""

import resource
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np

from trabecula.bundle import FILM, MASK, read_bundle
from trabecula.web.models import WORKERS
from trabecula.web.state import State

COLD, AT_ONCE, ROUNDS = 5, 20, 5
SERVE = """
import sys
from pathlib import Path
from trabecula.web.serve import Service, run
from trabecula.web.state import State
run(Service((Path(sys.argv[1]),), port=int(sys.argv[2]), audit=Path(sys.argv[3]), a_minute=10**6,
            state=State(token=sys.argv[4])))
"""


def main():
    """Print a line a bundle and kind."""
    for name in sys.argv[1:] or sys.exit(__doc__):
        bundle = read_bundle(Path(name))
        print(f"{bundle.manifest.signature}, {bundle.manifest.model} ({Path(name).name})")
        with tempfile.TemporaryDirectory() as folder:
            film, mask = Path(folder) / "film.png", Path(folder) / "mask.png"
            film.write_bytes(bundle.parts[FILM])
            mask.write_bytes(bundle.parts[MASK])
            spacing = bundle.manifest.example.spacing_mm
            film.with_suffix(".json").write_text(f'{{"spacing_mm": [{spacing[0]}, {spacing[1]}]}}')
            cold(bundle.path, film, mask)
            at_once(bundle.path, film, mask, spacing[0])


def cold(bundle, film, mask):
    """A process each: clock and processor time."""
    clock, processor = [], []
    for _ in range(COLD):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, "-m", "trabecula", "predict", bundle, film, "--mask", mask, "--json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        clock.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    least = f"least {min(clock):.2f} s of clock, {min(processor):.2f} s of processor time"
    middle = f"median {np.median(clock):.2f} s and {np.median(processor):.2f} s"
    print(f"  predict, cold, {COLD} times: {least}; {middle}")


def at_once(bundle, film, mask, spacing):
    """Twenty requests that begin together, some rounds: how many came back, and how soon."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = State().token
    command = [sys.executable, "-c", SERVE, bundle, str(port), film.with_name("audit.jsonl"), token]
    server = subprocess.Popen(command)
    try:
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=120
        )
        wait(client, server)

        def ask(_):
            start = time.perf_counter()
            files = {"image": film.read_bytes(), "mask": mask.read_bytes()}
            code = client.post("/api/v1/predict", files=files, data={"spacing_mm": spacing}).status_code
            return code, time.perf_counter() - start

        ask(0)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = [one for _ in range(ROUNDS) for one in pool.map(ask, range(AT_ONCE))]
    finally:
        server.terminate()
        server.wait()
    lost = sum(code != 200 for code, _ in found)
    middle, late, last = np.quantile([seconds for _, seconds in found], [0.5, 0.95, 1])
    words = f"{lost} lost, median {middle:.2f} s, p95 {late:.2f} s, longest {last:.2f} s"
    print(f"  serve, {AT_ONCE} at once, {ROUNDS} rounds, {WORKERS} threads: {words}")


def wait(client, server):
    """Until the service is up."""
    while server.poll() is None:
        try:
            client.get("/api/v1/health")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    sys.exit("the service did not start")


if __name__ == "__main__":
    main()
