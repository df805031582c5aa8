"""Launching tasks on whatever is offered, as fast as the master allows."""

import asyncio
import time


def capacity(offer, cpus, mem):
    """How many tasks of that size fit into an offer (protobuf or JSON)."""
    have = {}
    for r in offer["resources"] if isinstance(offer, dict) else offer.resources:
        if isinstance(r, dict):
            name, value = r["name"], r.get("scalar", {}).get("value", 0)
        else:
            name, value = r.name, r.scalar.value
        have[name] = have.get(name, 0) + value
    return int(min(have.get("cpus", 0) / cpus, have.get("mem", 0) / mem) + 1e-6)


def launcher(s, mk, total, per_accept, held=None):
    """Launch `total` tasks from whatever is offered; returns (start, done future, launched, ended, failed)."""
    launched, ended, failed = {}, {}, []
    held = [] if held is None else held
    done = asyncio.get_running_loop().create_future()
    clock = time.perf_counter
    go = [False]

    def fill():
        while go[0] and held and len(launched) < total:
            oid, aid, room = held.pop(0)
            n = min(per_accept, total - len(launched), room)
            ts = [mk(aid) for _ in range(n)]
            now = clock()
            for tid, _t in ts:
                launched[tid] = now
            s.accept([oid], [t for _i, t in ts])
            if n and per_accept == 1:
                break

    def offers(lst):
        held.extend((o, a, capacity(x, mk.cpus, mk.mem)) for o, a, x in lst)
        if per_accept > 1 or not launched or len(ended) == len(launched):
            fill()

    def update(tid, state, _agent, _uuid):
        if state in (2, 3, 4, 5, 7) and tid not in ended:
            ended[tid] = clock()
            if state != 2:
                failed.append(state)
            if len(ended) == total:
                done.set_result(None)
            elif per_accept == 1:
                fill()

    def start():
        go[0] = True
        fill()
        s.flush()

    s.on_offers, s.on_update = offers, update
    return start, done, launched, ended, failed
