"""The Merkle tree of RFC 6962 with SHA-256: root, audit path, and the check of a path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from certaudit.errors import InputError

__all__ = ["Tree", "audit_path", "leaf_hash", "path_leads_to", "root"]


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf; the prefix keeps leaves apart from inner nodes."""
    return sha256(b"\x00" + leaf).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """The root of leaves that come one by one, in memory logarithmic in their number."""

    def __init__(self) -> None:
        self.size = 0
        # Roots of the complete subtrees so far, largest first: one for each bit set in size.
        self._complete: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Append a leaf."""
        node, size = sha256(b"\x00" + leaf).digest(), self.size
        while size & 1:
            node = sha256(b"\x01" + self._complete.pop() + node).digest()
            size >>= 1
        self._complete.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the leaves so far: 32 bytes."""
        if not self._complete:
            return sha256(b"").digest()
        result = self._complete[-1]
        for left in reversed(self._complete[:-1]):
            result = _node_hash(left, result)
        return result


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root of a tree over leaves, read once: 32 bytes."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def audit_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf `index`, from the leaf up: at most 64 hashes of 32 bytes.

    Raises InputError where there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise InputError(f"there is no leaf {index} in a tree of {len(leaves)}")
    path = []
    level = [leaf_hash(leaf) for leaf in leaves]
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        pairs = zip(level[::2], level[1::2], strict=False)
        # An odd one out moves up as it is: RFC 6962 splits at the largest power of two.
        odd = level[-1:] if len(level) % 2 else []
        level = [_node_hash(left, right) for left, right in pairs] + odd
        index >>= 1
    return path


def path_leads_to(
    expected: bytes, *, leaf: bytes, index: int, size: int, path: Sequence[bytes]
) -> bool:
    """Return whether `path` proves that `leaf` is number `index` of the `size` leaves of a root.

    A path that is longer or shorter than it has to be proves nothing (RFC 9162, 2.1.3.2).
    """
    if not 0 <= index < size:
        return False
    node, last, steps = leaf_hash(leaf), size - 1, iter(path)
    while last:
        if index & 1 or index < last:
            step = next(steps, None)
            if step is None or len(step) != 32:
                return False
            node = _node_hash(step, node) if index & 1 else _node_hash(node, step)
        index, last = index >> 1, last >> 1
    return next(steps, None) is None and node == expected
