"""What flows, in the order in which it is born: frozen dataclasses that hold data and never a live model."""

from __future__ import annotations

from congruity.values.circuit import Behaviour, Circuit, Evidence, Scores
from congruity.values.comparison import (
    MIN_CLAIM,
    Agreement,
    Closeness,
    Comparison,
    Congruity,
    EquivalentKL,
    Guarantee,
    Paired,
    PromptError,
    Sensitivity,
    SensitivityPoint,
    Standing,
    Verdict,
)
from congruity.values.distance import Certified, DistanceTable, HeldOut, Traits
from congruity.values.fingerprint import (
    MIN_ACCURACY,
    SCHEMA_VERSION,
    Edit,
    Fingerprint,
    Implementation,
    Outputs,
    Representation,
    Stratum,
    incapable,
)
from congruity.values.inputs import Examples, Queries
from congruity.values.interchange import Interchange, Location
from congruity.values.model import Check, ModelCard, Site, SiteKind
from congruity.values.sampling import Budget, Gates

__all__ = [
    "MIN_ACCURACY",
    "MIN_CLAIM",
    "SCHEMA_VERSION",
    "Agreement",
    "Behaviour",
    "Budget",
    "Certified",
    "Check",
    "Circuit",
    "Closeness",
    "Comparison",
    "Congruity",
    "DistanceTable",
    "Edit",
    "EquivalentKL",
    "Evidence",
    "Examples",
    "Fingerprint",
    "Gates",
    "Guarantee",
    "HeldOut",
    "Implementation",
    "Interchange",
    "Location",
    "ModelCard",
    "Outputs",
    "Paired",
    "PromptError",
    "Queries",
    "Representation",
    "Scores",
    "Sensitivity",
    "SensitivityPoint",
    "Site",
    "SiteKind",
    "Standing",
    "Stratum",
    "Traits",
    "Verdict",
    "incapable",
]
