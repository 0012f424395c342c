"""certaudit decides, in exact arithmetic, whether robustness certificates are true.

The names below load what they need when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from certaudit.errors import CertauditError, InputError, Undecided, Untrusted

# Not lazily: the name would be the module's, once anything had imported that.
from certaudit.exact import exact

if TYPE_CHECKING:
    from certaudit.auditor import audit
    from certaudit.certify.label_flip import certify_label_flip
    from certaudit.certify.multiclass import certify_multiclass
    from certaudit.estimator import SmoothedRidgeClassifier as SmoothedRidgeClassifier
    from certaudit.io.tables import load_table
    from certaudit.noise import discrete, gaussian, label_flip, sparse
    from certaudit.rigorous.confidence import lower_bound
    from certaudit.rigorous.radius import certified, radius
    from certaudit.rigorous.threshold import threshold
    from certaudit.verifier import verify

__version__ = "0.1.0"

__all__ = [
    "CertauditError",
    "InputError",
    "Undecided",
    "Untrusted",
    "__version__",
    "audit",
    "certified",
    "certify_label_flip",
    "certify_multiclass",
    "discrete",
    "exact",
    "gaussian",
    "label_flip",
    "load_table",
    "lower_bound",
    "radius",
    "sparse",
    "threshold",
    "verify",
]

# Not in __all__: it needs the extra [sklearn], and `import *` does not.
_HOME = {
    "SmoothedRidgeClassifier": "certaudit.estimator",
    "audit": "certaudit.auditor",
    "certified": "certaudit.rigorous.radius",
    "certify_label_flip": "certaudit.certify.label_flip",
    "certify_multiclass": "certaudit.certify.multiclass",
    "discrete": "certaudit.noise",
    "gaussian": "certaudit.noise",
    "label_flip": "certaudit.noise",
    "load_table": "certaudit.io.tables",
    "lower_bound": "certaudit.rigorous.confidence",
    "radius": "certaudit.rigorous.radius",
    "sparse": "certaudit.noise",
    "threshold": "certaudit.rigorous.threshold",
    "verify": "certaudit.verifier",
}


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
