"""``messor record``: a timeline of offers, allocations, shares and tasks per role, in one HTML file."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from messor.cli.asking import Master, parser, run, say
from messor.cli.recording import Recording
from messor.cli.timeline import page
from messor.cli.watching import Watch
from messor.errors import ConnectionLost, InvalidRequest

EPILOG = """\
Shares, holdings and offers are sampled; tasks are followed by the master's events, so they are exact.
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
    master, run = Master(given.master, given.credential), Recording()
    sample = master.get("/allocator/shares")
    # Opened first: to find out after an hour that the folder is missing would be late.
    try:
        output = open(given.output, "w", encoding="utf-8")  # noqa: SIM115  (closed below, after hours maybe)
    except OSError as error:
        raise InvalidRequest(f"cannot write {given.output}: {error.strerror}") from None
    run.add(sample)
    with Watch(master.url, master.authorization, time.time() - sample["time"]) as watch:
        _sample(master, run, watch, given)
    run.add_changes(watch.take())
    run.has_events = watch.began.is_set()
    with output:
        output.write(page(run))
    gaps = f", {run.missed} samples are missing because the master did not answer" if run.missed else ""
    say(f"{given.output}: {run.count} samples over {run.seconds:.1f} s{gaps}")
    if not run.has_events:
        say(f"Without tasks: {watch.refusal or 'the master did not tell of any in time'}")
    return 0


def _sample(master: Master, run: Recording, watch: Watch, given: Any) -> None:
    """Collect samples until time is up or Ctrl-C."""
    begun = time.monotonic()
    try:
        while given.seconds is None or time.monotonic() - begun + given.interval <= given.seconds:
            time.sleep(given.interval)
            try:
                run.add(master.get("/allocator/shares"))
                watch.url = master.url
            except ConnectionLost:
                run.missed += 1
            run.add_changes(watch.take())
    except KeyboardInterrupt:
        pass
