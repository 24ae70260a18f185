"""What flows through the program: frozen dataclasses of data, in the order in which they are born.

Read this sheet first, then `congruity.protocols` (what can be plugged in) and `congruity.pipeline` (what calls what).
Shapes: n prompts, m queries, s sites, N implementations. No value holds a live model; arrays are read-only copies.

    value             born in                       what it is; who reads it
    ----------------  ----------------------------  ------------------------------------------------------------------
    Examples          tasks                         n clean and counterfactual inputs, answers and foils; models bind
                                                    them
    Queries           sampling/prepare              the m rows of every representation: (input, position, intervention).
                                                    Two fingerprints compare only when their queries agree
    ModelCard, Site   models                        which network, by the digest of its weights; a place in it whose
                                                    activation can be read and replaced, by its TransformerLens hook
    Check             sampling/selftests            one self-test of model and adapter; all precede every fingerprint
    Outputs           models (BoundModel.run)       one run: logit difference (n,), KL (n,), layers (n, width) each
    Behaviour         Outputs.behaviour             accuracy, logit difference and KL to the unedited model, averaged
    Scores            finders                       (s,) how much each site matters, with standard errors (s,)
    Circuit           sampling/circuit              the sites that matter; all others are the pool that may be edited
    Faithfulness      sampling/faithfulness         fraction of the metric that a circuit recovers, and rival circuits
    Edit              sampling/strength             a plan: at these sites write what an intervention gives, at a scale
    Interchange       evaluation                    a plan: at these locations (site, token position) write the value of
                                                    another run, row by row
    Budget, Gates     the user                      strength (KL) that every edit is tuned to; behaviour tolerance that
                                                    admits or refuses it
    Implementation    sampling/implementations      an edit that was measured: Behaviour, admitted or refused and why.
                                                    One network with another inside: it does the task in another way
    Stratum           Implementation.stratum        implementations by one intervention at one strength; verdicts rest
                                                    on the first stratum of a fingerprint
    Representation    sampling/representation       Gram matrix (m, m) of one implementation, trace 1, all layers
    Method, Sampling  sampling/recipe               the record of how implementations were made; comparison asks it
                                                    whether two sides were made alike
    Fingerprint       sampling/fingerprint          all of the above for one model, with grams (N, m, m): everything
                                                    that one side contributes to any comparison, a few MB on disk
    Traits            distances                     what a distance declares: metric, symmetric, invariances, range
    DistanceTable     comparison/tables             (2 + N_a + N_b)^2 distances, row = from, column = to
    Certified         comparison/arrays (d_repr)    one distance with a proof: lower <= exact <= upper
    PromptError       inference                     how far distances depend on the prompts: reliability over halves
    Estimate          inference                     numbers only: P1, P2, T = P1 + P2 - 1, C = 1 - abs(T), intervals,
                                                    p-values. None is what was not computed
    RelativeDistance  comparison                    rho: distance of the unedited models over the radius of their
                                                    implementations; EquivalentKL: the strength at which rho is 1
    Paired            comparison/paired             the same edits in both models, edit by edit
    Sensitivity       comparison/sensitivity        the same comparison on every other stratum that both sides have
    Status, Remark    comparison/verdict            the state of a comparison and its sentence; each Status has one
                                                    Verdict. `conclude` chooses it, and nothing else writes a verdict
    Guarantee         comparison/certificate        what a theorem proves of the comparison, and what it assumes
    Congruity         comparison/parts              the result, built once from all of these; reports read it
    RankAmong         comparison/reference          its rank among comparisons whose answer is known
    Comparison        pipeline                      two fingerprints with their Congruity; reports read it
"""

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

# fmt: off
__all__ = [
    "MIN_ACCURACY", "MIN_BASES", "MIN_CLAIM", "MIN_UNITS", "SCHEMA_VERSION", "Agreement", "Behaviour", "Budget",
    "Certified", "Check", "Circuit", "Comparison", "Congruity", "DistanceTable", "Edit", "EquivalentKL", "Estimate",
    "Examples", "Faithfulness", "Fingerprint", "Gates", "Guarantee", "HeldOut", "Implementation", "Interchange",
    "Location", "Method", "ModelCard", "Outputs", "Paired", "PermutationTest", "PromptError", "Queries", "RankAmong",
    "RelativeDistance", "Remark", "Representation", "Sampling", "Scores", "Sensitivity", "SensitivityPoint", "Site",
    "SiteKind", "Status", "Stratum", "Traits", "Verdict", "incapable",
]
# fmt: on
