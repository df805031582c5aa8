"""Dominant resource fairness: the client with the smallest weighted dominant share comes first.

The order is a tree of heaps, one per parent: lowest child first, then below it. Ties break on the number of allocations
a client ever got, then on its path. A walk takes entries off the heaps as it goes and puts them back, with their new
shares, when it ends: so the order is a snapshot, and a decision costs O(log n).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from heapq import heapify, heappop, heappush, heapreplace

from messor.allocator.holdings import Holdings, OwnHoldings
from messor.allocator.sorter import DEFAULT_WEIGHT, Pool, Vector
from messor.model.resource import Kind
from messor.model.resources import Resources

Entry = tuple[float, int, str, "Node"]


class Node:
    """A client (leaf), or a path with clients below it."""

    __slots__ = (
        "active",
        "children",
        "client",
        "count",
        "entry",
        "heap",
        "is_even",
        "name",
        "parent",
        "part",
        "path",
        "pending",
        "shared",
        "stale",
        "totals",
        "weight",
    )

    def __init__(self, name: str, parent: Node | None, weight: float) -> None:
        self.name = name
        self.parent = parent
        self.path: str = f"{parent.path}/{name}" if parent is not None and parent.parent is not None else name
        self.weight = weight
        self.client: str | None = None
        self.active = False
        self.children: dict[str, Node] = {}
        self.heap: list[Entry] = []
        self.entry: Entry | None = None
        self.stale = False
        self.count = 0
        self.part = 0.0
        self.is_even = True
        """Whether it holds whole units only, without thousandths; as good as known when it was last sorted in."""
        self.pending: dict[str, Resources] | None = None
        """What a round has given a client so far, by agent; kept here because the node is at hand."""
        self.totals: list[int] = []
        self.shared: dict[tuple[str, Kind], int] | None = None

    @property
    def is_sorted(self) -> bool:
        """Whether it belongs into its parent's order: active clients and all inner nodes do."""
        return self.client is None or self.active


class DrfSorter:
    """See ``Sorter``; this one orders by weighted dominant share."""

    def __init__(
        self, pool: Pool, weights: Mapping[str, float] | None = None, *, holdings: Holdings | None = None
    ) -> None:
        """Share a pool with other sorters; weights by path, 1.0 for those not named.

        holdings: who knows what is held where; by default the sorter writes it down itself.
        """
        self.pool = pool
        self._own = OwnHoldings() if holdings is None else None
        self.holdings: Holdings = holdings or self._own or OwnHoldings()
        self._version = -1
        self._weights = dict(weights or {})
        self._root = Node("", None, DEFAULT_WEIGHT)
        self._clients: dict[str, Node] = {}
        self.active: set[str] = set()
        """The clients that take part."""
        self._rebuild = True
        self._stale: list[Node] = []
        self._walking = False

    # --- clients -----------------------------------------------------------------------------------------------------

    def add(self, client: str) -> None:
        """Add an inactive client and inner nodes above it; a client that gets children moves down into a ``.`` leaf."""
        node = self._root
        for name in client.split("/"):
            if node.client is not None:
                self._push_down(node)
            node = node.children.get(name) or self._new_node(name, node)
        if node.children:
            node = self._new_node(".", node)
        node.client = client
        self._clients[client] = node
        self._rebuild = True

    def _new_node(self, name: str, parent: Node) -> Node:
        node = Node(name, parent, DEFAULT_WEIGHT)
        node.weight = self._weights.get(node.path, DEFAULT_WEIGHT)
        parent.children[name] = node
        return node

    def _push_down(self, node: Node) -> None:
        assert node.client is not None
        leaf = self._new_node(".", node)
        leaf.client, node.client = node.client, None
        leaf.active, node.active = node.active, False
        leaf.totals = list(node.totals)
        leaf.count = node.count
        leaf.shared = dict(node.shared) if node.shared else None
        self._clients[leaf.client] = leaf

    def remove(self, client: str) -> None:
        """Remove a client and the inner nodes that only it needed."""
        leaf = self._clients.pop(client)
        if self._own is not None:
            self._own.forget(client)
        self.active.discard(client)
        node: Node | None = leaf.parent
        while node is not None and node.parent is not None:
            for index, milli in enumerate(leaf.totals):
                node.totals[index] -= milli
            if leaf.shared and node.shared:
                for key, copies in leaf.shared.items():
                    _drop_copies(node.shared, key, copies)
            node = node.parent
        current = leaf
        while current.parent is not None:
            above = current.parent
            if not current.children:
                del above.children[current.name]
            elif len(current.children) == 1 and "." in current.children:
                self._pull_up(current)
            current = above
        self._rebuild = True

    def _pull_up(self, node: Node) -> None:
        leaf = node.children.pop(".")
        assert leaf.client is not None
        node.client, node.active = leaf.client, leaf.active
        self._clients[leaf.client] = node

    def activate(self, client: str) -> None:
        """Let a client take part."""
        node = self._clients[client]
        if not node.active:
            node.active = True
            self.active.add(client)
            self._rebuild = True

    def deactivate(self, client: str) -> None:
        """Leave a client out."""
        node = self._clients[client]
        if node.active:
            node.active = False
            self.active.discard(client)
            self._rebuild = True

    def contains(self, client: str) -> bool:
        """Whether there is such a client."""
        return client in self._clients

    def count(self) -> int:
        """Count the clients."""
        return len(self._clients)

    def count_active(self) -> int:
        """Count the active clients."""
        return len(self.active)

    def weight(self, path: str) -> float:
        """Tell the weight of a path."""
        return self._weights.get(path, DEFAULT_WEIGHT)

    def update_weight(self, path: str, weight: float) -> None:
        """Change the weight of a path."""
        self._weights[path] = weight
        node: Node | None = self._root
        for name in path.split("/"):
            node = node.children.get(name) if node is not None else None
        if node is not None:
            node.weight = weight
        self._rebuild = True

    # --- books -------------------------------------------------------------------------------------------------------

    def allocated(self, client: str, agent_id: str, resources: Resources) -> None:
        """Book an allocation on the client and every node above it."""
        node = self._clients[client]
        if self._own is not None:
            self._own.add(client, agent_id, resources)
        vector = self._vector(resources.scalars())
        shared = resources.shared() if resources.has_shared else None
        while node.parent is not None:
            node.count += 1
            if shared is not None:
                vector = self._vector(_with_new_copies(node, agent_id, resources, shared))
            totals = self._room(node)
            for index, milli, _ in vector:
                totals[index] += milli
            if not node.stale:
                node.stale = True
                if not self._walking:  # else the end of the walk puts it back into order
                    self._stale.append(node)
            node = node.parent

    def unallocated(self, client: str, agent_id: str, resources: Resources) -> None:
        """Book on the client and every node above it that resources came back."""
        node = self._clients[client]
        if self._own is not None:
            self._own.subtract(client, agent_id, resources)
        vector = self._vector(resources.scalars())
        shared = resources.shared() if resources.has_shared else None
        while node.parent is not None:
            if shared is not None:
                vector = self._vector(_with_last_copies(node, agent_id, resources, shared))
            totals = self._room(node)
            for index, milli, _ in vector:
                totals[index] = max(0, totals[index] - milli)
            if not node.stale:
                node.stale = True
                self._stale.append(node)
            node = node.parent

    def unallocated_vector(self, client: str, vector: Vector) -> None:
        """Book that resources without shared volumes came back: ``unallocated`` for whoever has the vector at hand."""
        node = self._clients[client]
        above = node.parent
        while above is not None:
            totals = node.totals
            for index, milli, _ in vector:
                rest = totals[index] - milli
                totals[index] = rest if rest > 0 else 0  # max() costs a call
            if not node.stale:
                node.stale = True
                self._stale.append(node)
            node = above
            above = node.parent

    def update(self, client: str, agent_id: str, old: Resources, new: Resources) -> None:
        """Replace part of what a client holds without counting an allocation."""
        counts = []
        node: Node | None = self._clients[client]
        while node is not None:
            counts.append((node, node.count))
            node = node.parent
        self.unallocated(client, agent_id, old)
        self.allocated(client, agent_id, new)
        for changed, count in counts:
            changed.count = count

    def _vector(self, scalars: Mapping[str, int]) -> Vector:
        return self.pool.vector(scalars)

    def _room(self, node: Node) -> list[int]:
        """Give a node's sums, with room for all names there are."""
        totals = node.totals
        if len(totals) < len(self.pool.sizes):
            totals += [0] * (len(self.pool.sizes) - len(totals))
        return totals

    def allocation(self, client: str) -> Mapping[str, int]:
        """Tell what a client holds."""
        return self.pool.named(self._clients[client].totals)

    def allocation_by_agent(self, client: str) -> Mapping[str, Resources]:
        """Tell what a client holds, by agent."""
        return self.holdings.by_agent(client)

    def allocation_by_client(self, agent_id: str) -> Mapping[str, Resources]:
        """Tell what is held of an agent, by client."""
        return self.holdings.by_client(agent_id)

    def allocation_on(self, client: str, agent_id: str) -> Resources:
        """Tell what a client holds of an agent."""
        return self.holdings.cell(client, agent_id)

    def total_allocation(self) -> Mapping[str, int]:
        """Tell what all clients hold. Not kept up at the root: rounds would pay for it at every offer."""
        sums: dict[str, int] = {}
        for node in self._root.children.values():
            for name, milli in self.pool.named(node.totals).items():
                sums[name] = sums.get(name, 0) + milli
        return sums

    def share(self, client: str) -> float:
        """Compute a client's share now."""
        return self._entry(self._clients[client])[0]

    # --- order -------------------------------------------------------------------------------------------------------

    def sort(self) -> list[str]:
        """List all active clients in order."""
        return list(self.walk())

    def walk(self) -> Generator[str, None, None]:
        """Iterate lazily over a snapshot of the order."""
        self._settle()
        return self._walk_all()

    def _walk_all(self) -> Generator[str, None, None]:
        self._walking = True
        try:
            yield from self._walk(self._root)
        finally:
            self._walking = False

    def _walk(self, above: Node) -> Generator[str, None, None]:
        heap = above.heap
        taken: list[Node] = []
        try:
            # The first stays on the heap while it is looked at: most walks end there, and replacing it is one sift.
            while heap:
                node = heap[0][3]
                if node.client is not None:
                    yield node.client
                else:
                    yield from self._walk(node)
                heappop(heap)
                taken.append(node)
        finally:
            if heap:
                node = heap[0][3]
                if node.stale:
                    node.stale = False
                    node.entry = self._entry(node)
                    heapreplace(heap, node.entry)
            for node in taken:
                if node.stale:
                    node.stale = False
                    node.entry = self._entry(node)
                assert node.entry is not None
                heappush(heap, node.entry)

    def in_order(self, but: set[str]) -> Generator[str, None, None]:
        """Iterate over active clients that are not among these, which are many; the tree must be flat."""
        self._settle()
        clients = self._clients
        heap = [clients[client].entry for client in self.active - but]
        heapify(heap)  # type: ignore[type-var]  # active ones have an entry
        while heap:
            client = heappop(heap)[3].client  # type: ignore[index, type-var]
            assert client is not None
            yield client

    def order_key(self, client: str) -> tuple[float, int, str]:
        """Give what a client is sorted by among its siblings."""
        return self._entry(self._clients[client])[:3]

    def in_order_among(self, clients: Iterable[str]) -> list[str]:
        """List these active clients in order; quick when they are few."""
        if any("/" in client for client in clients):
            wanted = set(clients)
            return [client for client in self.sort() if client in wanted]
        return sorted(clients, key=self.order_key)

    def first(self) -> Node:
        """Give the leaf whose turn it is; some client must be active."""
        self._settle()
        return self._first()

    def _first(self) -> Node:
        node = self._root
        while node.client is None:
            if not node.heap:  # an inner node without active clients may come first: walk past it
                return next(self._leaves(self._root))
            node = node.heap[0][3]
        return node

    def _leaves(self, above: Node) -> Generator[Node, None, None]:
        for _, _, _, node in sorted(above.heap):
            if node.client is not None:
                yield node
            else:
                yield from self._leaves(node)

    def give(self, vector: Vector, even: Vector | None) -> Node:
        """Book an allocation (without shared volumes) for whose turn it is, sort it in, and give its leaf.

        The same as ``first``, ``allocated`` and a walk's end, in one go: this is what rounds spend their time on.
        """
        if self._rebuild or self._stale or self._version != self.pool.version:
            self._settle()
        node = leaf = self._root.heap[0][3]
        if leaf.client is None:
            node = leaf = self._first()
        above = node.parent
        while above is not None:
            totals = node.totals
            largest = node.part
            # Shares only grow here, and only through what is added.
            if even is not None and node.is_even:
                for index, milli, size in even:
                    have = totals[index] = totals[index] + milli
                    part = have / size
                    if part > largest:  # noqa: PLR1730  (max() costs a call)
                        largest = part
            else:
                node.is_even = False
                for index, milli, size in vector:
                    have = totals[index] = totals[index] + milli
                    part = (have // 1000 + have % 1000 / 1000.0) / size
                    if part > largest:  # noqa: PLR1730
                        largest = part
            node.part = largest
            node.count = count = node.count + 1
            heap = above.heap
            if heap[0][3] is node:
                node.entry = entry = (largest / node.weight, count, node.path, node)
                heapreplace(heap, entry)
            elif not node.stale:
                node.stale = True
                self._stale.append(node)
            node = above
            above = node.parent
        return leaf

    def give_to(self, leaf: Node, vector: Vector, times: int = 1) -> None:
        """Book allocations (without shared volumes) of one leaf; the order follows when it is asked for."""
        node = leaf
        above = leaf.parent
        while above is not None:
            node.count += times
            totals = self._room(node)
            for index, milli, _ in vector:
                totals[index] += milli * times
            if not node.stale:
                node.stale = True
                self._stale.append(node)
            node = above
            above = node.parent

    def alone(self) -> Node | None:
        """Give the leaf whose turn it always is: that of the only active client, if there is but one."""
        if len(self.active) != 1:
            return None
        return self._clients[next(iter(self.active))]

    def _entry(self, node: Node) -> Entry:
        largest = 0.0
        node.is_even = True
        for have, size in zip(self._room(node), self.pool.sizes, strict=True):
            if have:
                units: float = have // 1000
                if have % 1000:
                    node.is_even = False
                    units += have % 1000 / 1000.0
                part = units / size
                if part > largest:  # noqa: PLR1730  (max() costs a call)
                    largest = part
        node.part = largest
        return (largest / node.weight, node.count, node.path, node)

    def _settle(self) -> None:
        """Bring the order up to date: put nodes that changed outside of a walk where they belong."""
        if self._rebuild or self._version != self.pool.version:
            self._rebuild_heaps()
            return
        if not self._stale:
            return
        stale, self._stale = self._stale, []
        parents: dict[int, tuple[Node, list[Node]]] = {}
        for node in stale:
            if node.stale:
                node.stale = False
                if node.parent is not None and node.is_sorted:
                    parents.setdefault(id(node.parent), (node.parent, []))[1].append(node)
        for parent, changed in parents.values():
            for node in changed:
                node.entry = self._entry(node)
            parent.heap = [entry[3].entry for entry in parent.heap]  # type: ignore[misc]  # those there have one
            heapify(parent.heap)

    def _rebuild_heaps(self) -> None:
        self._version = self.pool.version
        self._rebuild = False
        for node in self._stale:
            node.stale = False
        self._stale.clear()
        self._rebuild_below(self._root)

    def _rebuild_below(self, above: Node) -> None:
        heap = []
        for node in above.children.values():
            if node.is_sorted:
                node.entry = self._entry(node)
                heap.append(node.entry)
            if node.children:
                self._rebuild_below(node)
        heapify(heap)
        above.heap = heap


def _with_new_copies(node: Node, agent_id: str, resources: Resources, shared: Resources) -> Mapping[str, int]:
    """Count shared volumes only where the node had no copy of them on that agent."""
    copies = node.shared if node.shared is not None else {}
    node.shared = copies
    fresh = Resources(dict(shared.filter(lambda kind: (agent_id, kind) not in copies).items()))
    for kind, amount in shared.items():
        assert isinstance(amount, int)
        copies[agent_id, kind] = copies.get((agent_id, kind), 0) + amount
    return (resources.nonshared() + fresh).scalars()


def _with_last_copies(node: Node, agent_id: str, resources: Resources, shared: Resources) -> Mapping[str, int]:
    """Count shared volumes only where the node gave back its last copy of them on that agent."""
    copies = node.shared if node.shared is not None else {}
    gone = []
    for kind, amount in shared.items():
        assert isinstance(amount, int)
        if _drop_copies(copies, (agent_id, kind), amount):
            gone.append(kind)
    return (resources.nonshared() + shared.filter(lambda kind: kind in gone)).scalars()


def _drop_copies(copies: dict[tuple[str, Kind], int], key: tuple[str, Kind], amount: int) -> bool:
    rest = copies.get(key, 0) - amount
    if rest > 0:
        copies[key] = rest
        return False
    return copies.pop(key, None) is not None
