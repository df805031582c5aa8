"""Commands on a cluster through pymesos.subprocess; MESOS_MASTER says where.

Prints nothing when all is as the standard module would have it.
"""

import os
import signal
import time

from pymesos.subprocess import PIPE, STDOUT, CalledProcessError, Popen, call, check_call, check_output

SMALL = {"cpus": 0.1, "mem": 16}


def main():
    assert check_output(["echo", "hello"], **SMALL) == b"hello\n"
    assert check_output("echo $WORD; echo error >&2", shell=True, env={"WORD": "x"}, stderr=STDOUT, **SMALL) in (
        b"x\nerror\n",
        b"error\nx\n",
    )
    assert check_output(["pwd"], cwd="/", **SMALL) == b"/\n"
    assert call(["sh", "-c", "exit 3"], **SMALL) == 3
    check_call(["true"], **SMALL)
    try:
        check_output("echo last words; exit 7", shell=True, **SMALL)
    except CalledProcessError as error:
        assert (error.returncode, error.output) == (7, b"last words\n")
    else:
        raise AssertionError("no CalledProcessError")
    try:
        Popen(["/no/such/program"], **SMALL)
    except FileNotFoundError:
        pass
    else:
        raise AssertionError("no FileNotFoundError")

    process = Popen(["cat"], stdin=PIPE, stdout=PIPE, **SMALL)
    data = os.urandom(300_000)
    assert process.communicate(data) == (data, None)
    assert process.returncode == 0

    sleeper = Popen(["sleep", "600"], **SMALL)
    assert sleeper.poll() is None
    sleeper.terminate()
    assert sleeper.wait(60) == -signal.SIGTERM

    several = [Popen(["sh", "-c", "echo %d" % n], stdout=PIPE, **SMALL) for n in range(5)]
    assert [one.communicate()[0] for one in several] == [b"%d\n" % n for n in range(5)]

    cancelled = Popen(["sleep", "600"], **SMALL)
    cancelled.cancel()
    assert cancelled.returncode == -255
    time.sleep(0.2)


main()
