"""What the page, the fragment, the table and the figures show, and what they refuse."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Literal

import numpy as np
import pytest
from rich.console import Console

import synthetic
from congruity._base import wording as written
from congruity.comparison.compare import compare_fingerprints
from congruity.distances import Procrustes
from congruity.errors import InputError, UnknownNameError
from congruity.report import html, plots, svg, text, wording
from congruity.values import Behaviour, Comparison, EquivalentKL, PermutationTest, Site, Status, keynumbers
from pages import HOSTILE, Reader

SECTIONS = ("conclusions", "comparisons", "main-1", "checks", "timing", "provenance")


@pytest.fixture(scope="module")
def main() -> Comparison:
    return synthetic.comparison(note="both trained on the same text")


@pytest.fixture(scope="module")
def control(main: Comparison) -> Comparison:
    a = main.a
    return synthetic.comparison(
        a.take(np.arange(10), "first half"),
        a.take(np.arange(10, 20), "second half"),
        role="control",
        test=None,
        rho=None,
    )


@pytest.fixture(scope="module")
def document(main: Comparison, control: Comparison) -> str:
    return html.page(
        [main, control],
        title="A title",
        seconds={"circuit": 12.0, "distances": 0.5},
        floor_seconds=5.0,
        conclusions=["You may conclude this.", "You may not conclude that."],
    )


@pytest.fixture(scope="module")
def reader(document: str) -> Reader:
    return Reader(document)


def test_page_starts_with_the_verdict(document: str, main: Comparison) -> None:
    body = document.partition("<body>")[2].partition("</body>")[0]
    shown = Reader(body).visible
    result = main.result
    assert shown.startswith(f"{result.names[0]} and {result.names[1]}: {result.verdict}. ")
    assert result.reason[1:] in shown.partition("congruity")[0]


def test_page_has_every_section_in_order(reader: Reader) -> None:
    ids = [attrs["id"] for tag, attrs in reader.elements if tag == "section"]
    assert ids == list(SECTIONS)
    for line in ("You may conclude this.", "You may not conclude that.", "these two networks", "both trained on"):
        assert line in reader.visible


def test_page_is_well_formed_and_small(document: str, reader: Reader) -> None:
    assert reader.path == []
    assert len(document.encode()) < 300_000
    ids = [attrs["id"] for _, attrs in reader.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_page_draws_every_figure_with_title_label_and_axes(reader: Reader) -> None:
    figures = [attrs["class"].split()[0] for tag, attrs in reader.elements if tag == "figure"]
    drawings = [attrs for tag, attrs in reader.elements if tag == "svg"]
    assert figures == ["heatmap", "strip", "behaviour", "circuit", "curve"]
    assert len(drawings) == 8
    assert all(attrs["role"] == "img" and len(attrs["aria-label"] or "") > 30 for attrs in drawings)
    axes = (
        "distance, frobenius (no unit)",
        "KL to the unedited model (nats)",
        "layer (index)",
        "sites kept, all others",
    )
    for texts in (plots.TITLES, plots.CAPTIONS):
        for kind, expected in texts.items():
            assert (expected in reader.visible) == (kind != "sensitivity"), expected
    for expected in axes:
        assert expected in reader.visible, expected


def test_page_loads_nothing_and_runs_nothing(document: str, reader: Reader) -> None:
    policy = next(attrs["content"] for tag, attrs in reader.elements if attrs.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'") and "script-src" not in policy
    assert reader.count("script") == reader.count("link") == reader.count("iframe") == 0
    for tag, attrs in reader.elements:
        assert not any(name.startswith("on") for name in attrs), (tag, attrs)
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert re.match(r"(#|data:image/png;base64,)", attrs.get(name) or "#"), (tag, attrs[name])
    assert "http:" not in document and "https:" not in document and "@import" not in document
    assert set(re.findall(r"url\(([^#)]*)", document)) <= {""}


def test_page_has_dark_print_and_phone_styles(document: str) -> None:
    style = document.partition("<style>")[2].partition("</style>")[0]
    for rule in ("prefers-color-scheme: dark", "@media print", "@page", "break-inside: avoid", "max-width: 44rem"):
        assert rule in style
    assert 'name="viewport"' in document
    # the closed provenance is hidden on screens only, so that print shows it
    assert re.search(r"@media screen \{ details:not\(\[open\]\) \+ \.body \{ display: none", style)


def test_texts_keep_their_contrast() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return float(np.dot((0.2126, 0.7152, 0.0722), linear))

    style = html._resource("style.css")
    schemes = re.findall(r"--cg-paper: (#\w+); --cg-ink: (#\w+); --cg-muted: (#\w+)", style)
    assert len(schemes) == 2
    for paper, *inks in schemes:
        for ink in inks:
            low, high = sorted((luminance(paper), luminance(ink)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (paper, ink)


def test_table_of_comparisons_matches_the_results(document: str, main: Comparison, control: Comparison) -> None:
    part = document.partition('<section id="comparisons">')[2].partition("</section>")[0]
    shown = [[" ".join(Reader(cell).visible.split()) for cell in re.findall(r"<td.*?</td>", row, re.S)]
             for row in re.findall(r"<tr class.*?</tr>", part, re.S)]  # fmt: skip
    assert len(shown) == 2
    for row, comparison in zip(shown, (main, control), strict=True):
        result = comparison.result
        assert row[:3] == [comparison.role, *result.names]
        score, low, high = map(float, re.findall(r"[\d.]+", row[3]))
        for shown_value, exact in (
            (score, result.score),
            (low, result.interval[0]),
            (high, result.interval[1]),
            (float(row[4]), result.p_within[0]),
            (float(row[5]), result.p_within[1]),
            (float(row[6]), result.separability),
        ):
            assert shown_value == pytest.approx(exact, abs=0.005)
        assert row[9].startswith(result.verdict)
    assert shown[0][8] == "1.30"
    assert shown[1][7] == shown[1][8] == "-"  # no valid test, rho not known


def test_key_numbers_checks_times_and_provenance_are_shown(reader: Reader, main: Comparison) -> None:
    shown, result = reader.visible, main.result
    for expected in (
        written.number(result.score),
        written.interval(result.interval),
        f"equal sides would give {written.number(result.expected_equal)}",
        written.number(result.separation, sign=True),
        written.p_equation(result.p_values["separability"]),
        "batch against single",
        "12.5 s",
        "2.50 \N{MULTIPLICATION SIGN} the floor",
        main.a.digest,
        main.b.digest,
        main.a.queries.digest,
        "settings: gates: max_kl",
    ):
        assert expected in shown, expected


def test_refused_implementations_are_listed_with_their_reasons(reader: Reader, main: Comparison) -> None:
    refused = [i for i in main.a.implementations if not i.admitted]
    assert len(refused) == 3 and all(i.reason for i in refused)
    for implementation in refused:
        assert implementation.reason.replace("+-", "±") in reader.visible


def test_refused_implementation_without_a_finite_kl_is_said_not_drawn(main: Comparison) -> None:
    rows = list(main.a.implementations)
    at = next(i for i, row in enumerate(rows) if not row.admitted)
    rows[at] = dataclasses.replace(rows[at], behaviour=Behaviour(0.1, 0.0, math.nan, 60), reason="KL is not a number")
    changed = dataclasses.replace(main, a=dataclasses.replace(main.a, implementations=tuple(rows)))
    shown = Reader(html.page([changed], title="t")).visible
    assert "of which 1 cannot be drawn" in shown and "KL is not a number" in shown
    assert not re.search(r"\bnan\b", shown, re.I)


def test_hostile_names_are_shown_as_text_everywhere() -> None:
    a = synthetic.fingerprint(HOSTILE, n=6, m=8, seed=1)
    b = synthetic.fingerprint(HOSTILE + "\x1b[31m\x00", n=6, m=8, shift=0.1, seed=2)
    hostile = synthetic.comparison(
        a, b, note=HOSTILE, reason=HOSTILE, warnings=(HOSTILE,), provenance={HOSTILE: [HOSTILE]}
    )
    page = html.page([hostile], title=HOSTILE, seconds={HOSTILE: 1.0}, conclusions=[HOSTILE])
    for markup in (page, html.fragment(hostile.result), hostile.result._repr_html_()):
        found = Reader(markup)
        assert found.path == []
        assert found.count("script") == found.count("img") == 0
        assert not any(name.startswith("on") for _, attrs in found.elements for name in attrs)
        assert HOSTILE in found.visible
        assert "\x1b" not in markup and "\x00" not in markup


def test_drawings_are_the_same_twice(main: Comparison) -> None:
    def once() -> str:
        return html.fragment(main.result) + svg.inline(plots.figure(main, "behaviour"), key="k", label="l")

    assert once() == once()


def test_page_shows_all_main_comparisons(main: Comparison) -> None:
    first = synthetic.comparison(synthetic.fingerprint("model-a", refused=14, seed=1), main.b)
    second = synthetic.comparison(main.a, synthetic.fingerprint("model-c", n=5, refused=0, seed=3), table=None, side=())
    found = Reader(html.page([first, second], title="t"))
    assert [attrs["id"] for tag, attrs in found.elements if tag == "section"][2:4] == ["main-1", "main-2"]
    assert "stored without its distances" in found.visible and "5 admitted, none refused" in found.visible
    assert found.count("svg") == 8 + 6
    assert "and 4 more" in found.visible
    assert "No times were recorded" in found.visible


def test_page_refuses_what_it_cannot_show(main: Comparison, control: Comparison) -> None:
    with pytest.raises(InputError, match="role 'main'"):
        html.page([control], title="t")
    with pytest.raises(InputError, match="'circuit' is nan"):
        html.page([main], title="t", seconds={"circuit": math.nan})
    broken = dataclasses.replace(main, result=dataclasses.replace(main.result, rho=math.nan))
    with pytest.raises(InputError, match=r"model-a.*rho is nan"):
        html.page([main, broken], title="t")
    edited = dataclasses.replace(main.a, unedited=Behaviour(1.0, math.nan, 0.0, 9))
    with pytest.raises(InputError, match=r"unedited\.logit_difference is nan"):
        html.page([dataclasses.replace(main, a=edited)], title="t")


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("separability", math.nan),
        ("p_within", (math.nan, 0.5)),
        ("intervals", {"separation": (math.nan, 0.5)}),
        ("test", PermutationTest(math.nan, {}, 1.0, 1e-4, 10000, False)),
        ("tv_lower", math.inf),
        ("rho", math.nan),
        ("provenance", {"x": math.nan}),
    ],
)
def test_nan_is_refused_by_table_sentence_and_fragment(main: Comparison, field: str, bad: object) -> None:
    result = synthetic.changed(main.result, **{field: bad})
    for show in (html.fragment, text.verdict, lambda r: text.table([dataclasses.replace(main, result=r)])):
        with pytest.raises(InputError, match=field):
            show(result)


def test_fragment_is_compact_scoped_and_without_script(main: Comparison) -> None:
    markup = html.fragment(main.result)
    found = Reader(markup)
    assert found.path == [] and found.count("script") == 0 and found.count("svg") == 1
    assert len(markup) < 40_000
    style = markup.partition("<style>")[2].partition("</style>")[0]
    assert all(rule.strip().startswith(".congruity-fragment") for rule in re.findall(r"([^{}]+)\{", style))
    assert found.visible.partition("{")[0].startswith(f"{main.result.names[0]} and {main.result.names[1]}")
    plain = Reader(main.result._repr_html_())
    assert plain.path == [] and plain.count("svg") == plain.count("script") == plain.count("style") == 0
    for key in main.result.key_numbers():
        assert key.value in plain.visible and key.name in plain.visible and key.value in found.visible
    bare = html.fragment(synthetic.changed(main.result, table=None, side=(), rho=None, test=None, n_bases=None))
    assert Reader(bare).count("svg") == 0 and "no valid test" in bare


def render(shown: object, width: int = 100) -> list[str]:
    console = Console(width=width, color_system=None, record=True, file=None, force_terminal=False, quiet=False)
    with console.capture() as capture:
        console.print(shown)
    return capture.get().splitlines()


def test_terminal_table_fits_and_shows_markup_as_text(main: Comparison, control: Comparison) -> None:
    long = synthetic.comparison(
        synthetic.fingerprint("[bold]" + "a-very-long-model-name" * 4, n=5),
        p_within=(0.75, 0.75),
        test=PermutationTest(0.0001, {"separability": 0.0001}, 1.0, 1e-4, 10000, False),
    )
    lines = render(text.table([main, control, long]))
    assert max(map(len, lines)) <= 100
    joined = "\n".join(lines)
    assert "[bold]" in joined and "< .001" in joined and "…" not in joined
    assert f"{written.number(main.result.score)} {written.interval(main.result.interval)}" in joined
    with pytest.raises(InputError, match="no comparison"):
        text.table([])


def test_terminal_sentence_is_plain_and_escaped(main: Comparison) -> None:
    result = dataclasses.replace(
        main.result, names=("[red]a", "b"), reason="too few implementations", status=Status.NOT_SHOWN
    )
    assert render(text.verdict(result)) == ["[red]a and b: undecided. Too few implementations."]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.417, "0.42"), (0.0432, "0.043"), (0.9973, "0.997"), (1.0, "1.00"), (0.0, "0.00"), (-0.5, "\N{MINUS SIGN}0.50"),
     (12.34, "12.3"), (1234.5, "1234"), (2.1e-6, "2.1e-6"), (math.inf, "∞"), (None, "-"), (-0.0, "0.00")],
)  # fmt: skip
def test_numbers_are_written_honestly(value: float | None, expected: str) -> None:
    assert written.number(value) == expected


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.0, "< .001"),
        (0.001, ".001"),
        (0.0499, ".050"),
        (0.0996, ".10"),
        (0.25, ".25"),
        (0.996, "> .99"),
        (1.0, "1.00"),
    ],
)
def test_p_values_are_written_as_in_papers(p: float, expected: str) -> None:
    assert written.p_value(p) == expected


def test_p_value_refuses_impossible_values() -> None:
    for p in (-0.1, 1.1, math.nan):
        with pytest.raises(InputError, match=r"\[0, 1\]"):
            written.p_value(p)


# ----------------------------------------------------------------------- rho, equivalent KL, sensitivity, paired edits


@pytest.fixture(scope="module")
def rich() -> Comparison:
    """A comparison of fingerprints with several kinds of implementations."""
    a, b = synthetic.stratified("model-a", seed=1), synthetic.stratified("model-b", seed=2, shift=0.08)
    return Comparison(a, b, compare_fingerprints(a, b, Procrustes()))


def test_page_shows_rho_the_equivalent_kl_and_the_sensitivity(rich: Comparison) -> None:
    document = html.page([rich], title="t")
    found, result = Reader(document), rich.result
    assert found.path == [] and len(document.encode()) < 300_000
    near, equal, other = result.closeness, result.equivalent_kl, result.sensitivity
    assert near is not None and equal is not None and other is not None and equal.value is not None
    figures = [attrs["class"].split()[0] for tag, attrs in found.elements if tag == "figure"]
    assert figures == ["heatmap", "strip", "sensitivity", "behaviour", "circuit", "curve"]
    for expected in (
        f"rho = {written.number(near.rho)} {written.interval(near.interval)} (resample at KL 0.01): the two models are",
        f"{written.number(near.rho)} {written.interval(near.interval)}, 95 %",
        f"Equivalent KL {written.number(equal.value)} {written.interval((equal.low or 0, equal.high or 0))} nats",
        other.sentence,
        plots.CAPTIONS["sensitivity"],
        "KL that implementations were drawn to (nats)",
        "mean instead of resample, in B only",
        "other kinds",
    ):
        assert expected in found.visible, expected
    labels = [attrs["aria-label"] or "" for tag, attrs in found.elements if tag == "svg"]
    assert any(f"resample at KL 0.003: {written.number(other.points[1].score)}; " in label for label in labels)
    assert any("with a share of B's implementations by another intervention: 0 %:" in label for label in labels)


def test_sensitivity_is_drawn_where_it_is_and_the_points_are_those_of_the_result(rich: Comparison) -> None:
    figure = plots.figure(rich, "sensitivity")
    left, right = figure.axes
    assert rich.result.sensitivity is not None and figure.get_figwidth() == pytest.approx(6.9)
    line = sorted(rich.result.sensitivity.matched()[:3], key=lambda p: p.kls[0] or 0)
    for k, of in enumerate(("score", "p1", "p2", "separability")):
        drawn = next(x for x in left.lines if x.get_label() == ("C", "P1", "P2", "AUC")[k])
        expected = [(p.score, *p.p_within, p.separability)[k] for p in line]
        assert list(drawn.get_xdata()) == [0.003, 0.01, 0.03] and list(drawn.get_ydata()) == expected, of
    gate = [x for x in left.lines if list(x.get_xdata()) == [rich.a.sampling.gates.max_kl] * 2]
    assert len(gate) == 1 and left.get_xscale() == "log"
    both = next(x for x in right.lines if x.get_label() == "C, both sides")
    assert list(both.get_xdata()) == [0, 25, 50, 75, 100]
    one = dataclasses.replace(rich.result.sensitivity, points=rich.result.sensitivity.matched())
    without = dataclasses.replace(rich, result=dataclasses.replace(rich.result, sensitivity=one))
    assert plots.panels_of(without, "sensitivity") == (0,) and len(plots.figure(without, "sensitivity").axes) == 1
    with pytest.raises(InputError, match="no mix of two interventions"):
        plots.figure(without, "sensitivity", panel=1)
    bare = dataclasses.replace(rich, result=dataclasses.replace(rich.result, sensitivity=None))
    with pytest.raises(InputError, match="no sensitivity to draw"):
        plots.figure(bare, "sensitivity")


def test_paired_edits_are_said_and_stand_among_the_key_numbers() -> None:
    a = synthetic.stratified("model-a", seed=1)
    b = synthetic.repeated(a, "copy")
    result = compare_fingerprints(a, b, Procrustes())
    (of_rho, _, of_pairs) = wording.details(result)
    assert "rho = " in of_rho and of_pairs.startswith("The same 12 edits in both models: paired distance 0.19, ")
    assert "times that of the unedited models; the partner is the nearest for 1.00 and 1.00 of them" in of_pairs
    assert "log KL correlates at 0.9" in of_pairs and "(p < .001; standard deviations 0." in of_pairs
    shown = Reader(html.fragment(result)).visible
    assert "partner is the nearest" in shown and "no valid test" in shown
    assert "no interval: the draws are paired" in shown and "at margin" not in shown and "at least" not in shown
    assert "[" not in text.cells(Comparison(a, b, result))[3]


@pytest.mark.parametrize(
    ("value", "low", "high", "rhos", "written"),
    [
        (0.0049, 0.0046, 0.0052, (1.3, 0.7), ("0.0049", "[0.0046, 0.0052]")),
        (None, None, 0.003, (0.5, 0.4), ("< 0.0030", "[0.00, 0.0030]")),
        (None, 0.03, None, (4.0, 2.0), ("> 0.030", "[0.030, ∞]")),
        (None, 0.01, None, (0.9, 1.3), ("> 0.030", "[0.010, ∞]")),
        (None, None, None, (0.9, 0.8), ("-", "[0.00, ∞]")),
        (0.0, 0.0, 0.0, (0.0, 0.0), ("0.00", "[0.00, 0.00]")),
    ],
)
def test_an_equivalent_kl_outside_what_was_measured_is_a_bound(
    value: float | None, low: float | None, high: float | None, rhos: tuple[float, ...], written: tuple[str, str]
) -> None:
    where: Literal["below", "above"] = "below" if high is not None else "above"
    assert keynumbers.kl_range(EquivalentKL(value, low, high, (0.003, 0.03), rhos, "resample", where)) == written


def test_what_rho_shows_is_said(rich: Comparison) -> None:
    near = rich.result.closeness
    assert near is not None
    for change, said in (
        ({}, "closer to each other than models are to their implementations on average over both sides."),
        ({"within": False, "interval": (1.2, 1.4)}, "are farther from each other than models are from their impl"),
        ({"within": False, "interval": (1.2, 1.4), "over_prompts": (0.9, 1.7)}, "is not shown."),
        ({"within": False, "over_prompts": (0.5, 1.5)}, "is not shown."),
        ({"within": None, "kl": None}, "no claim follows, as the sides were not drawn to one KL by one intervention."),
    ):
        result = dataclasses.replace(rich.result, closeness=dataclasses.replace(near, **change))
        line = wording.details(result)[0]
        assert said in line and ("over prompts too [0." in line) == ("over_prompts" in change)


@pytest.mark.parametrize(("kind", "width"), [("heatmap", 3.3), ("strip", 3.3), ("behaviour", 6.9), ("circuit", 6.9),
                                             ("curve", 6.9)])  # fmt: skip
def test_figures_have_publication_size(main: Comparison, kind: plots.Kind, width: float) -> None:
    figure = plots.figure(main, kind)
    assert figure.get_figwidth() == pytest.approx(width)
    assert figure.get_suptitle() == plots.TITLES[kind]
    panel = plots.figure(main, kind, panel=1, title=False)
    assert panel.get_figwidth() == pytest.approx(3.3) and not panel.get_suptitle()


def test_figures_leave_the_users_matplotlib_alone(main: Comparison) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    svg.inline(plots.figure(main, "strip"), key="k", label="l")
    assert dict(matplotlib.rcParams) == before


def test_figures_name_what_is_wrong(main: Comparison) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'heatmap'"):
        plots.figure(main, "heatmaps")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="without its distance table"):
        plots.figure(dataclasses.replace(main, result=dataclasses.replace(main.result, table=None)), "strip")
    with pytest.raises(InputError, match="panel"):
        plots.figure(main, "circuit", panel=2)
    with pytest.raises(InputError, match="1 sides"):
        result = dataclasses.replace(main.result, side=("x",) * len(main.result.side))
        plots.figure(dataclasses.replace(main, result=result), "heatmap")


def test_distances_are_grouped_by_side_whatever_the_row_order(main: Comparison) -> None:
    from congruity.report import panels

    assert main.result.table is not None
    table, n = main.result.table, len(main.result.side)
    order = np.random.default_rng(0).permutation(n)
    shuffled = dataclasses.replace(
        table, values=table.values[np.ix_(order, order)], labels=tuple(table.labels[i] for i in order)
    )
    mixed = dataclasses.replace(main.result, table=shuffled, side=tuple(main.result.side[i] for i in order))
    for (label, one), (other_label, other) in zip(panels.groups(main.result), panels.groups(mixed), strict=True):
        assert label == other_label
        np.testing.assert_allclose(np.sort(one), np.sort(other))
    directed = dataclasses.replace(table, values=table.values * np.linspace(1, 2, n)[:, None])
    both_ways = panels.groups(dataclasses.replace(main.result, table=directed))
    assert [len(v) for _, v in both_ways] == [20 * 19, 2 * 20 * 20, 20 * 19]


def test_circuit_map_outlines_the_circuit_and_takes_plain_modules(main: Comparison) -> None:
    from congruity.report import circuit_map

    drawn = plots.figure(main, "circuit", panel=0).axes[0]
    outlines = [c for c in drawn.collections if len(c.get_paths()) == len(main.a.circuit.sites)]
    assert len(outlines) == 2  # a light line below a dark one
    sites = tuple(Site(layer, "module", f"net.{layer}.{name}") for layer in range(2) for name in ("up", "down"))
    scores = dataclasses.replace(main.a.circuit.scores, sites=sites, values=np.arange(4.0), standard_errors=np.zeros(4))
    plain = dataclasses.replace(main.a.circuit, scores=scores, sites=sites[2:], pool=sites[:2])
    side = dataclasses.replace(main.a, circuit=plain)
    assert circuit_map.cells(side) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert (
        plots.figure(dataclasses.replace(main, a=side), "circuit", panel=0).axes[0].get_xlabel() == "site in the layer"
    )


def test_one_implementation_a_side_can_be_drawn() -> None:
    one = synthetic.comparison()
    assert one.result.table is not None
    rows = np.array([0, 20])
    table = dataclasses.replace(one.result.table, values=one.result.table.values[np.ix_(rows, rows)], labels=("a", "b"))
    result = dataclasses.replace(one.result, table=table, side=one.result.names)
    lone = dataclasses.replace(one, result=result)
    assert plots.figure(lone, "strip") and "between" in plots.alternative(lone, "strip")


def test_what_was_not_computed_is_said_and_never_shown_as_a_range(main: Comparison) -> None:
    nothing = {"intervals": {}, "smallest_margin": None, "p_equivalence": None, "tv_lower": None, "test": None}
    for change, why in (
        ({"informative": False}, "all distances are equal"),
        ({"independent": False}, "the draws are paired"),
        ({}, "fewer than 3 independent units on a side"),
    ):
        result = synthetic.changed(main.result, **(nothing | change))
        of_pair = dataclasses.replace(main, result=result)
        page = Reader(html.page([of_pair], title="t")).visible
        for shown in (page, Reader(html.fragment(result)).visible, Reader(result._repr_html_()).visible):
            assert f"no interval: {why}" in shown and "no valid test" in shown
            assert "would pass as equivalent" not in shown and "total variation at least" not in shown
        assert "[" not in text.cells(of_pair)[3]
