"""The baselines without a network: size alone, and boosting or a linear model on numbers.

Needs scikit-learn (the extra `training`).  Each gives out-of-fold logits on the frozen folds.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from m3net.description import BASIC, NAMES

Floats = NDArray[np.float64]


class _Model(Protocol):
    def fit(self, features: Floats, labels: NDArray[np.bool_]) -> object: ...

    def decision_function(self, features: Floats) -> Floats: ...


def _logistic() -> _Model:
    model: _Model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    return model


def _boosting() -> _Model:
    model: _Model = GradientBoostingClassifier(
        n_estimators=150, max_depth=3, learning_rate=0.05, subsample=0.7, random_state=0
    )
    return model


BASELINES: dict[str, tuple[Callable[[], _Model], Sequence[str]]] = {
    "size_alone": (_logistic, ("log_volume_mm3",)),
    "logistic_regression": (_logistic, BASIC),
    "gradient_boosting": (_boosting, BASIC),
    "gradient_boosting_on_all_numbers": (_boosting, NAMES),
}
"""Name -> the model and the numbers of `description.NAMES` that it sees."""


def out_of_fold_logits(
    baseline: str, *, features: Floats, labels: NDArray[np.bool_], folds: NDArray[np.int_]
) -> Floats:
    """The logit of each nodule from a model fitted on the other folds; features: (N, 66)."""
    make, names = BASELINES[baseline]
    seen = features[:, [NAMES.index(name) for name in names]]
    logits = np.full(len(labels), np.nan)
    for fold in np.unique(folds):
        test = folds == fold
        model = make()
        model.fit(seen[~test], labels[~test])
        logits[test] = model.decision_function(seen[test])
    return logits
