"""The tree of RFC 6962: known vectors, and a naive recursion for all small sizes."""

from hashlib import sha256

import pytest

from certaudit.errors import InputError
from certaudit.records.merkle import Tree, audit_path, path_leads_to, root

# The test vectors of the certificate-transparency reference implementation.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = range(65)


def leaves(size):
    return [b"%d" % i for i in range(size)]


def split(size):
    """Return the largest power of two below size."""
    return 1 << (size - 1).bit_length() - 1


def naive_root(items):
    if not items:
        return sha256(b"").digest()
    if len(items) == 1:
        return sha256(b"\0" + items[0]).digest()
    k = split(len(items))
    return sha256(b"\1" + naive_root(items[:k]) + naive_root(items[k:])).digest()


def naive_path(index, items):
    if len(items) == 1:
        return []
    k = split(len(items))
    if index < k:
        return [*naive_path(index, items[:k]), naive_root(items[k:])]
    return [*naive_path(index - k, items[k:]), naive_root(items[:k])]


def test_the_reference_vectors():
    for size, expected in enumerate(ROOTS):
        assert root(LEAVES[:size]).hex() == expected


def test_a_path_of_the_reference_vectors():
    wanted = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [node.hex() for node in audit_path(LEAVES, 5)] == wanted


@pytest.mark.parametrize("size", SIZES)
def test_all_leaves_of_all_small_trees(size):
    items = leaves(size)
    expected = naive_root(items)
    assert root(items) == root(iter(items)) == expected
    for index, leaf in enumerate(items):
        path = audit_path(items, index)
        assert path == naive_path(index, items)

        def leads(leaf=leaf, index=index, size=size, path=path):
            return path_leads_to(expected, leaf=leaf, index=index, size=size, path=path)

        assert leads()
        assert not leads(leaf=leaf + b"x")
        assert not leads(path=[*path, bytes(32)])
        assert not leads(path=[*path, expected])
        assert not leads(index=size)
        assert not leads(index=-1)
        assert not leads(index=index + size)
        if path:
            assert not leads(path=path[:-1])
            assert not leads(path=path[1:])
            assert not leads(path=[path[0][:31], *path[1:]])
            assert not leads(path=[bytes(32), *path[1:]])
            assert not leads(index=index ^ 1)


def test_an_inner_node_is_no_leaf():
    items = leaves(4)
    inner = sha256(b"\0" + items[0]).digest() + sha256(b"\0" + items[1]).digest()
    path = audit_path(items, 0)[1:]
    assert not path_leads_to(root(items), leaf=inner, index=0, size=2, path=path)


def test_the_tree_keeps_little():
    tree = Tree()
    for item in leaves(1000):
        tree.add(item)
        assert len(tree._complete) == tree.size.bit_count()
    assert tree.root() == naive_root(leaves(1000))


@pytest.mark.parametrize(("size", "index"), [(0, 0), (3, 3), (3, -1)])
def test_there_is_no_such_leaf(size, index):
    with pytest.raises(InputError, match=f"no leaf {index} in a tree of {size}"):
        audit_path(leaves(size), index)
