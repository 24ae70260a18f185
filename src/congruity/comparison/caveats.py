"""What a reader must know of the numbers besides the verdict: one warning a matter, none where nothing is unusual."""

from __future__ import annotations

from congruity.values import Estimate, PromptError

_GOOD_RELIABILITY, _NOISE = 0.85, 0.3
_GROWS = 0.1  # an extrapolated T this far above T: more prompts would show more separation
_FEW_UNITS = 5


def caveats(found: Estimate) -> tuple[str, ...]:
    """Return the warnings that follow from an estimate."""
    warnings = []
    separation = found.separation
    if separation < 0 and found.test is not None and found.test.below <= 0.05 and found.informative:
        warnings.append(
            f"T = {separation:.2f} is significantly below 0 (p = {found.test.below:.2g}): implementations are closer "
            "to the other side than to their own. Look for a crossed design (the same networks or edits on both sides) "
            "or leakage; T below 0 is by itself no sign of a difference"
        )
    for side in found.lonely:
        warnings.append(
            f"side {side!r} is one network, so its within-side comparisons are between implementations of that network "
            "and C is not comparable with that of several networks a side"
        )
    if found.prompts is not None and found.informative:
        warnings += _of_prompts(found.prompts, separation)
    if found.units < _FEW_UNITS and not found.lonely:
        plural = "" if found.units == 1 else "s"
        warnings.append(f"{found.units} independent unit{plural} on a side: read C as an estimate only")
    return tuple(warnings)


def _of_prompts(prompts: PromptError, separation: float) -> list[str]:
    warnings = []
    if prompts.reliability < _GOOD_RELIABILITY:
        what = "are mostly noise" if prompts.reliability < _NOISE else "are noisy"
        warnings.append(
            f"the distances {what} over prompts (split-half reliability {prompts.reliability:.2f}), and noise makes "
            f"sides look alike; take more than {prompts.n} prompts"
        )
    grown = abs(prompts.extrapolated) - abs(separation)
    if grown > _GROWS:
        warnings.append(
            f"separation still grows with the prompts (T = {prompts.half_separation:.2f} on half of them, "
            f"{separation:.2f} on all {prompts.n}, {prompts.extrapolated:.2f} extrapolated): with more, C would fall"
        )
    return warnings
