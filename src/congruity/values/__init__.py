"""What flows through the program: frozen dataclasses of data, in the order in which the pipeline creates them.

Read this sheet first, then `congruity.protocols` (what can be plugged in) and `congruity.pipeline` (what calls what).
No value holds a PyTorch module or a tensor; arrays are read-only copies. Shapes: n prompts; m queries, one a prompt;
s sites; N admitted implementations of one model.

The question: can implementations of side 1 and of side 2 be told apart by the distances between them?
P1 is the chance that an implementation of side 1 is closer to another one of side 1 than one of side 2 is; P2 likewise
for side 2; 1/2 each if the sides have one law. T = P1 + P2 - 1, and the score C = 1 - abs(T) is the paper's congruity.
Verdicts: "different" (told apart and not within the margin, at least 4 independent networks a side), "equivalent" (not
told apart; 90 % intervals of P1 and P2 inside 1/2 +- margin/2; at least 10 units a side; distances reliable over
prompts), "undecided", "not applicable" (a side cannot do the task). A fingerprint is one network, so that `compare` of
two never says "different"; `estimate` of a table of several networks a side can.

    value             created in                    what it is; who reads it
    ----------------  ----------------------------  ------------------------------------------------------------------
    Examples          tasks                         n clean and counterfactual inputs, answers and incorrect answers
                                                    (foils); `Model.bind` tokenises and batches them
    Queries           sampling/prepare              the m rows of every representation: (prompt, token position). Two
                                                    fingerprints are comparable only if their queries are identical
    ModelCard, Site   models                        which network, by the digest of its weights; a place in it whose
                                                    activation can be read and replaced, by its TransformerLens hook
    Check             sampling/selftests            one self-test of model and adapter; all must pass first
    Outputs           models (BoundModel.run)       one run: logit difference (n,), KL(unedited || edited) of the next-
                                                    token distribution (n,), residual stream (n, width) of each layer
    Behaviour         Outputs.behaviour             accuracy, logit difference and KL, averaged over prompts
    Budget, Gates     the user                      strength: the KL to which every edit is tuned; behaviour tolerance:
                                                    it chooses the size of the circuit, and admits or refuses edits
    Scores            finders                       (s,) how much each site matters, with standard errors (s,)
    Circuit           sampling/circuit              the smallest top of the ranking that keeps the behaviour inside
                                                    `Gates` when all other sites are replaced; these are the pool
    Edit              sampling/strength             a plan: at these sites of the pool write what an intervention gives.
                                                    By default the first sites of a random order, as many as give the
                                                    budget's KL (a site that jumps over it is skipped); or a random
                                                    share of the pool a part of the way (scale)
    Implementation    sampling/implementations      the network with an edit: admitted or refused and why, Behaviour on
                                                    other prompts if the KL was reached. Its circuit is the same
    Stratum           Implementation.stratum        implementations by one intervention at one strength. The verdict
                                                    rests on the first of side 1 that side 2 has (else: made unlike)
    Representation    sampling/representation       Gram matrix (m, m) of one implementation, trace 1, all layers
    Method, Sampling  sampling/recipe               the record of how implementations were made. Sides that were not
                                                    made alike (comparison/alike says what counts) are never "different"
    Fingerprint       sampling/fingerprint          what is kept of one model: ModelCard, Queries, Circuit, Checks,
                                                    Implementations with Gram matrices (N, m, m), that of the unedited
                                                    model (m, m), Sampling. A few MB on disk
    Traits            distances                     what a distance declares: metric, symmetric, invariances, range
    DistanceTable     comparison/tables             (2 + N_a + N_b)^2 distances, row = from, column = to; the two are
                                                    the unedited models, which rho uses and the estimate does not
    PromptError       inference                     split-half reliability of the distances over prompts
    Estimate          inference                     numbers only: P1, P2, T, C, intervals, permutation p-values.
                                                    None is what was not computed
    RelativeDistance  comparison                    rho: distance of the unedited models over the mean distance of a
                                                    model to its own implementations. It takes no part in the verdict.
                                                    EquivalentKL: the strength at which rho is 1
    Paired            comparison/paired             the same edits in both models, edit by edit; then no verdict
    Sensitivity       comparison/sensitivity        the same on every other stratum that both sides have
    Status, Remark    comparison/verdict            why a comparison ends as it does, with its sentence; each Status has
                                                    one Verdict. Nothing but that module chooses either
    Guarantee         comparison/certificate        what a theorem implies here, with what it assumes; or why it is
                                                    silent
    Congruity         comparison/parts              the result, built once from all of these; reports read it
    Comparison        pipeline                      two fingerprints with their Congruity, for reports

Beside this way: Faithfulness (of a circuit, measured by `discover`), Interchange and Location (an interchange
intervention at sites and token positions, for `evaluate`), Certified and HeldOut (what `d_repr` returns), RankAmong (of
a result among comparisons whose answer is known). Parts of the rows above: PermutationTest, Agreement,
SensitivityPoint.
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
