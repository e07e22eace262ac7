"""Exact Shapley values of forests of scikit-learn's trees, absent features as the training cases went.

Algorithm 2 of Lundberg, Erion and Lee 2018, arXiv:1802.03888: one walk through a tree keeps, for the features on the
way, how many subsets of each size let a case through.
"""

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from jaxtyping import Float64


def forest_contributions(
    trees: Sequence[Any], x: Float64[np.ndarray, "rows columns"]
) -> tuple[Float64[np.ndarray, " classes"], Float64[np.ndarray, "rows columns classes"]]:
    """Base and values of the mean of the trees' probabilities; ``trees`` are scikit-learn's ``tree_``."""
    classes = trees[0].value.shape[2]
    base, values = np.zeros(classes), np.zeros((*x.shape, classes))
    fed = np.ascontiguousarray(x, dtype=np.float32)  # scikit-learn's trees compare in single precision
    for tree in trees:
        shares = tree.value[:, 0] / tree.value[:, 0].sum(axis=1, keepdims=True)
        weight = tree.weighted_n_node_samples
        leaves = tree.children_left < 0
        base += (weight[leaves, None] * shares[leaves]).sum(axis=0) / weight[0]
        shape = (tree.children_left, tree.children_right, tree.feature, tree.threshold, weight)
        _walk_tree(fed, *shape, shares, tree.max_depth, values)
    return base / len(trees), values / len(trees)


@numba.njit(cache=True, nogil=True)
def _extend(feature, zero, one, share, length, of, shut, open_):  # type: ignore[no-untyped-def]
    """Add a feature to the path: ``shut`` is the part that goes this way without it, ``open_`` if the case does."""
    feature[length], zero[length], one[length] = of, shut, open_
    share[length] = 1.0 if length == 0 else 0.0
    for i in range(length - 1, -1, -1):
        share[i + 1] += open_ * share[i] * (i + 1) / (length + 1)
        share[i] = shut * share[i] * (length - i) / (length + 1)


@numba.njit(cache=True, nogil=True)
def _unwind(feature, zero, one, share, last, place):  # type: ignore[no-untyped-def]
    """Take a feature off the path again."""
    ahead = share[last]
    for i in range(last - 1, -1, -1):
        if one[place] != 0:
            kept = share[i]
            share[i] = ahead * (last + 1) / ((i + 1) * one[place])
            ahead = kept - share[i] * zero[place] * (last - i) / (last + 1)
        else:
            share[i] = share[i] * (last + 1) / (zero[place] * (last - i))
    for i in range(place, last):
        feature[i], zero[i], one[i] = feature[i + 1], zero[i + 1], one[i + 1]


@numba.njit(cache=True, nogil=True)
def _unwound_sum(zero, one, share, last, place):  # type: ignore[no-untyped-def]
    """What the shares would sum to without a feature."""
    ahead, total = share[last], 0.0
    for i in range(last - 1, -1, -1):
        if one[place] != 0:
            without = ahead * (last + 1) / ((i + 1) * one[place])
            total += without
            ahead = share[i] - without * zero[place] * (last - i) / (last + 1)
        else:
            total += share[i] * (last + 1) / (zero[place] * (last - i))
    return total


@numba.njit(cache=True, nogil=True)
def _walk_tree(x, left, right, split, threshold, weight, value, depth, out):  # type: ignore[no-untyped-def]
    """Add the values of every case (rows x columns x classes); each level of the walk has a path of its own."""
    size = depth + 2
    feature = np.zeros((size, size), np.int64)
    zero, one, share = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, size))
    length = np.zeros(size, np.int64)
    nodes, levels = np.zeros(2 * size, np.int64), np.zeros(2 * size, np.int64)
    of, shut, open_ = np.zeros(2 * size, np.int64), np.ones(2 * size), np.ones(2 * size)
    for row in range(x.shape[0]):
        nodes[0], levels[0], of[0], shut[0], open_[0] = 0, 0, -1, 1.0, 1.0
        waiting = 1
        while waiting > 0:
            waiting -= 1
            node, level = nodes[waiting], levels[waiting]
            last = 0 if level == 0 else length[level - 1]
            for path in (zero, one, share):
                path[level, :last] = path[level - 1, :last]
            feature[level, :last] = feature[level - 1, :last]
            last = _step(
                feature[level], zero[level], one[level], share[level], last, of[waiting], shut[waiting], open_[waiting]
            )
            length[level] = last + 1
            if left[node] < 0:
                for place in range(1, last + 1):
                    w = _unwound_sum(zero[level], one[level], share[level], last, place)
                    w *= one[level, place] - zero[level, place]
                    for k in range(value.shape[1]):
                        out[row, feature[level, place], k] += w * value[node, k]
                continue
            goes_left = x[row, split[node]] <= threshold[node]
            for child, taken in ((right[node], not goes_left), (left[node], goes_left)):
                nodes[waiting], levels[waiting], of[waiting] = child, level + 1, split[node]
                shut[waiting], open_[waiting] = weight[child] / weight[node], 1.0 if taken else 0.0
                waiting += 1


@numba.njit(cache=True, nogil=True)
def _step(feature, zero, one, share, last, coming, part, through):  # type: ignore[no-untyped-def]
    """Put one more condition on the path; of a feature met before, both as one. Returns the place of the last."""
    for place in range(1, last):
        if feature[place] == coming:
            part *= zero[place]
            through *= one[place]
            _unwind(feature, zero, one, share, last - 1, place)
            last -= 1
            break
    _extend(feature, zero, one, share, last, coming, part, through)
    return last
