"""What flows, in the order in which it is born: frozen dataclasses that hold data and never a live model."""

from __future__ import annotations

from congruity.values.circuit import Behaviour, Circuit, Faithfulness, Scores
from congruity.values.comparison import Comparison, Congruity, Guarantee, RankAmong
from congruity.values.distance import Certified, DistanceTable, HeldOut, Traits
from congruity.values.estimate import MIN_BASES, MIN_UNITS, Estimate, PermutationTest, PromptError
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
from congruity.values.relative import (
    MIN_CLAIM,
    Agreement,
    EquivalentKL,
    Paired,
    RelativeDistance,
    Sensitivity,
    SensitivityPoint,
)
from congruity.values.sampling import Budget, Gates, Method, Sampling
from congruity.values.status import Remark, Status, Verdict

__all__ = [
    "MIN_ACCURACY",
    "MIN_BASES",
    "MIN_CLAIM",
    "MIN_UNITS",
    "SCHEMA_VERSION",
    "Agreement",
    "Behaviour",
    "Budget",
    "Certified",
    "Check",
    "Circuit",
    "Comparison",
    "Congruity",
    "DistanceTable",
    "Edit",
    "EquivalentKL",
    "Estimate",
    "Examples",
    "Faithfulness",
    "Fingerprint",
    "Gates",
    "Guarantee",
    "HeldOut",
    "Implementation",
    "Interchange",
    "Location",
    "Method",
    "ModelCard",
    "Outputs",
    "Paired",
    "PermutationTest",
    "PromptError",
    "Queries",
    "RankAmong",
    "RelativeDistance",
    "Remark",
    "Representation",
    "Sampling",
    "Scores",
    "Sensitivity",
    "SensitivityPoint",
    "Site",
    "SiteKind",
    "Status",
    "Stratum",
    "Traits",
    "Verdict",
    "incapable",
]
