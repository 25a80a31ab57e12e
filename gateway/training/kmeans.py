"""The regimes of a machine that nobody has named: k-means clusters of normal windows, as classes for a classifier.

k-means++ (Arthur and Vassilvitskii, SODA 2007) by scikit-learn, on standardised features. How many clusters there are
is asked of the silhouette (Rousseeuw, J. Comput. Appl. Math. 20, 1987), which also says when there are none worth the
name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import threadpoolctl
from numpy.typing import NDArray
from sklearn import cluster
from sklearn.metrics import silhouette_score

from gateway.training.classifier import LEAST_OF_A_CLASS, MOST_CLASSES
from gateway.training.dense import Floats, Unsuitable, check_windows

_KMeans: Any = cluster.KMeans  # neither has types
_limits: Any = threadpoolctl.threadpool_limits

MOST_CLUSTERS = 8
"""As many as are looked for where their number is not given."""
_LEAST_SILHOUETTE = 0.25  # below this there is no substantial structure (Kaufman and Rousseeuw, Finding Groups in Data)
_SAMPLE = 1000  # windows that a silhouette is taken of: its cost grows with their square
_STARTS = 10


@dataclass(frozen=True)
class Regimes:
    """Clusters, the largest first: their centres [k, features], the label of each window [n], and the windows' mean
    silhouette, −1 to 1.
    """

    centres: Floats
    labels: NDArray[np.int64]
    silhouette: float

    @property
    def names(self) -> tuple[str, ...]:
        """What the classes are called, in their order."""
        return tuple(f"regime-{i + 1}" for i in range(len(self.centres)))

    def nearest(self, windows: Floats) -> NDArray[np.int64]:
        """The regime [n] of other standardised windows [n, features]."""
        squares = ((windows[:, None, :] - self.centres) ** 2).sum(axis=2)
        nearest: NDArray[np.int64] = squares.argmin(axis=1)
        return nearest


def regimes(windows: Floats, seed: int, clusters: int | None = None) -> Regimes:
    """Clusters of standardised windows [n, features]: so many, or 2 to 8 as the silhouette says. Those with too few
    windows to be learned as a class do not count.

    Raises Unsuitable: too few windows; more clusters than a classifier has classes; no number of clusters, or not the
    number given, that leaves each enough windows; or nothing that stands apart.
    """
    least = LEAST_OF_A_CLASS * (clusters or 2)
    check_windows(windows, windows.shape[1] if windows.ndim == 2 else 0, least)
    if clusters is not None and not 2 <= clusters <= MOST_CLASSES:
        raise Unsuitable(f"2 to {MOST_CLASSES} clusters can be classes, not {clusters}")
    tried = [clusters] if clusters else list(range(2, min(MOST_CLUSTERS, len(windows) // LEAST_OF_A_CLASS) + 1))
    found = [one for k in tried if (one := _clustered(windows, k, seed)) is not None]
    if not found:
        raise Unsuitable(f"k-means finds no {tried[0]} clusters of at least {LEAST_OF_A_CLASS} windows each")
    best = max(found, key=lambda one: one.silhouette)
    if clusters is None and best.silhouette < _LEAST_SILHOUETTE:
        raise Unsuitable(
            f"the windows form no clusters: their best silhouette is {best.silhouette:.2f}, of {len(best.centres)} "
            f"clusters, where {_LEAST_SILHOUETTE} is the least"
        )
    return best


def _clustered(windows: Floats, clusters: int, seed: int) -> Regimes | None:
    """None where a cluster is too small. With one thread: the order in which several add up their sums is anybody's."""
    with _limits(1):
        model = _KMeans(clusters, n_init=_STARTS, random_state=seed).fit(windows)
        sizes = np.bincount(model.labels_, minlength=clusters)
        if sizes.min() < LEAST_OF_A_CLASS:
            return None
        order = np.argsort(-sizes, kind="stable")
        labels = np.argsort(order)[model.labels_].astype(np.int64)
        sample = min(_SAMPLE, len(windows))
        silhouette = silhouette_score(windows, labels, sample_size=sample, random_state=seed)
    return Regimes(model.cluster_centers_[order], labels, float(silhouette))
