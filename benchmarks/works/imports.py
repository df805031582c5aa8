"""B11: how long ``import messor`` takes."""

import subprocess
import sys

PROGRAM = "import time; t = time.perf_counter(); import messor; print((time.perf_counter() - t) * 1000)"


def import_messor():
    """Import in a fresh interpreter; gives milliseconds of wall time."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    return {"wall_ms": float(done.stdout)}
