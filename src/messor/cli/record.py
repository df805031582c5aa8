"""``messor record``: a timeline of offers, allocations and shares per role, in one HTML file."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from messor.cli.asking import Master, parser, run, say
from messor.cli.timeline import page
from messor.errors import ConnectionLost, InvalidRequest

EPILOG = """\
The file needs nothing but a browser: no scripts, styles or fonts are loaded from anywhere.

example:
  messor record --output=run.html --seconds=60"""


def main(argv: Sequence[str] | None = None) -> int:
    """Record; gives the exit status. argv includes the program's name."""
    options = parser("record", "Record shares and offers and write them as one HTML file.", EPILOG)
    options.add_argument("--output", required=True, metavar="FILE", help="where to write the HTML")
    options.add_argument("--seconds", type=float, help="how long to record (default: until Ctrl-C)")
    options.add_argument("--interval", type=float, default=0.5, help="seconds between samples (default: 0.5)")
    given = options.parse_args((sys.argv if argv is None else argv)[1:])
    if given.interval <= 0 or (given.seconds is not None and given.seconds <= 0):
        options.error("--interval and --seconds must be more than 0")
    return run("record", lambda: _record(given))


def _record(given: Any) -> int:
    master = Master(given.master, given.credential)
    samples = [master.get("/allocator/shares")]
    # Opened first: to find out after an hour that the folder is missing would be late.
    try:
        output = open(given.output, "w", encoding="utf-8")  # noqa: SIM115  (closed below, after hours maybe)
    except OSError as error:
        raise InvalidRequest(f"cannot write {given.output}: {error.strerror}") from None
    missed = _sample(master, samples, given.interval, given.seconds)
    with output:
        output.write(page(samples))
    gaps = f", {missed} samples are missing because the master did not answer" if missed else ""
    say(f"{given.output}: {len(samples)} samples over {samples[-1]['time'] - samples[0]['time']:.1f} s{gaps}")
    return 0


def _sample(master: Master, samples: list[dict[str, Any]], interval: float, seconds: float | None) -> int:
    """Collect samples until time is up or Ctrl-C; gives how many were missed."""
    missed = 0
    begun = time.monotonic()
    try:
        while seconds is None or time.monotonic() - begun + interval <= seconds:
            time.sleep(interval)
            try:
                samples.append(master.get("/allocator/shares"))
            except ConnectionLost:
                missed += 1
    except KeyboardInterrupt:
        pass
    return missed
