"""What is on disk: the same bytes again, damage of every kind is one sentence, and nothing half-written is left."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import congruity as cg
import synthetic
from congruity._base import cache, files
from congruity._base.artifact import contents
from congruity.distances import Ridge
from congruity.errors import CongruityError, StoreError
from congruity.store import fingerprints as store
from congruity.values import DistanceTable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return synthetic.fingerprint("a", n=3, m=6, seed=1).save(tmp_path / "a.safetensors")


def header_end(content: bytes) -> int:
    return 8 + int.from_bytes(content[:8], "little")


def rewritten(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Return a file whose JSON header went through ``change``, with the arrays as they were."""
    text, arrays = contents(path)
    header = json.loads(text)
    header = change(header) or header
    save_file(arrays, path, metadata={"congruity": json.dumps(header)})
    return path


def one_sentence(error: pytest.ExceptionInfo[Any], path: Path) -> None:
    assert str(path) in str(error.value) and "\n" not in str(error.value) and error.value.exit_code == 2


# ----------------------------------------------------------------------------------------------------- fingerprints


def test_the_same_fingerprint_gives_the_same_bytes_and_reads_back_equal(tmp_path: Path, path: Path) -> None:
    made = synthetic.fingerprint("a", n=3, m=6, seed=1)
    assert made.save(tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    loaded = cg.Fingerprint.load(path)
    assert loaded.digest == made.digest and np.array_equal(loaded.grams, made.grams)
    assert loaded.circuit.sites == made.circuit.sites and loaded.implementations == made.implementations
    assert loaded.model == made.model and loaded.queries == made.queries and loaded.checks == made.checks
    assert not loaded.grams.flags.writeable
    assert loaded.save(tmp_path / "copy.safetensors").read_bytes() == path.read_bytes()
    assert os.stat(path).st_mode & 0o777 == 0o666 & ~files._umask(), "readable like any other file"


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    content = path.read_bytes()
    cuts = np.unique(np.linspace(0, len(content) - 1, 60).astype(int))
    for size in (*cuts.tolist(), 8, header_end(content), len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(StoreError, match="not a safetensors file, or truncated") as error:
            cg.Fingerprint.load(path)
        one_sentence(error, path)


def test_a_flipped_bit_anywhere_is_refused(path: Path) -> None:
    content = path.read_bytes()
    end = header_end(content)
    rng = np.random.default_rng(0)
    places = [*rng.integers(0, end, 150).tolist(), *rng.integers(end, len(content), 60).tolist()]
    for place in places:
        edited = bytearray(content)
        edited[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(edited)
        try:
            loaded = cg.Fingerprint.load(path)
        except StoreError as error:
            assert str(path) in str(error) and "\n" not in str(error)
        else:  # white space of the header, or a digit that means the same
            assert loaded.digest == synthetic.fingerprint("a", n=3, m=6, seed=1).digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.update(schema=99), "written under fingerprint schema 99, this congruity reads schema 2 and 3"),
        (lambda h: h.update(accuracy=1.0), "does not match its own digest, so it was edited"),
        (lambda h: h["sampling"].update(seed=7), "does not match its own digest"),
        (lambda h: h["sampling"].update(given=["n"]), "does not match its own digest"),
        (lambda h: h.update(schema=2), "the fingerprint is damaged"),
        (lambda h: h.update(schema=1), "written under fingerprint schema 1, this congruity reads schema 2 and 3"),
        (lambda h: h["implementations"][0]["behaviour"].update(kl=0.0), "does not match its own digest"),
        (lambda h: h.pop("schema") and None, "header is damaged"),
        (lambda h: [1, 2], "header is damaged"),
        (lambda h: h.pop("model") and None, "the fingerprint is damaged"),
        (lambda h: h["circuit"].update(sites=[10_000]), r"circuit\.sites\[0\] is 10000; expected a number below"),
        (lambda h: h["circuit"].update(sites=[-1]), r"damaged \(circuit\.sites\[0\] is -1; expected a number below"),
        (lambda h: h["sampling"].update(seed="7"), r"damaged \(sampling\.seed is '7'; expected a whole number"),
        (lambda h: h["sampling"].update(source="luck"), "expected one of 'edits', 'weights'"),
        (lambda h: h["implementations"][1].pop("base") and None, r"damaged \(implementations\[1\]\.base is missing\)"),
        (lambda h: h["implementations"][1].update(admitted=1), "expected true or false"),
        (lambda h: h["queries"].update(ids=["q0"]), "the fingerprint is damaged"),
        (lambda h: h["model"].update(colour="red"), r"damaged \(model\.colour is no field of ModelCard\)"),
        (lambda h: h.update(accuracy=10**400), r"accuracy is 1000.*\.\.\.; expected a number"),
        (lambda h: h["sampling"]["gates"].update(max_kl=10**400), r"max_kl is 1000.*\.\.\.; expected a number"),
        (lambda h: h.update(schema=float("nan")), "header is damaged"),
        (lambda h: h.update(accuracy=float("nan")), "header is damaged"),
        pytest.param(lambda h: h.pop("digest") and None, "damaged|digest"),
        pytest.param(lambda h: h["circuit"].update(curve=[[1]]), "damaged"),
    ],
)
def test_an_edited_header_is_refused(path: Path, change: Callable[[Any], Any], message: str) -> None:
    rewritten(path, change)
    with pytest.raises(StoreError, match=message) as error:
        cg.Fingerprint.load(path)
    one_sentence(error, path)


STRANGE = {
    "a list without an end": "[" * 10**5,
    "a deep list": '{"schema": 3, "a": ' + "[" * 10**5 + "]" * 10**5 + "}",
    "a deep object": '{"schema": 3, "versions": ' + '{"a":' * 900 + "1" + "}" * 901,
    "a long number": '{"schema": ' + "9" * 5000 + "}",
    "half a schema": '{"schema": 3.5}',
    "no schema": '{"schema": null}',
    "nothing": "null",
}


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE.keys())
def test_a_header_that_no_writer_wrote_is_refused(path: Path, text: str) -> None:
    _, arrays = contents(path)
    save_file(arrays, path, metadata={"congruity": text})
    with pytest.raises(StoreError, match=r"damaged|schema 3\.5") as error:
        cg.Fingerprint.load(path)
    one_sentence(error, path)


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3", "C64"])
def test_an_array_of_no_real_numbers_is_refused(path: Path, kind: str) -> None:
    content = path.read_bytes()
    header = json.loads(content[8 : header_end(content)])
    start, end = header["clean_gram"]["data_offsets"]
    header["clean_gram"] |= {"dtype": kind, "shape": [(end - start) // {"BF16": 2, "F8_E4M3": 1, "C64": 8}[kind]]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[header_end(content) :])
    with pytest.raises(StoreError, match=r"not a safetensors file|expected an array of real numbers") as error:
        cg.Fingerprint.load(path)
    one_sentence(error, path)


def test_an_array_of_no_field_is_refused(path: Path) -> None:
    text, arrays = contents(path)
    save_file(arrays | {"more": np.zeros(3)}, path, metadata={"congruity": text})
    with pytest.raises(StoreError, match="the array more belongs to no field"):
        cg.Fingerprint.load(path)


@pytest.mark.parametrize(
    ("what", "value"), [("grams", np.nan), ("clean_gram", np.inf), ("circuit.scores.values", np.nan)]
)
def test_numbers_that_are_none_are_refused(path: Path, what: str, value: float) -> None:
    text, arrays = contents(path)
    arrays[what].flat[0] = value
    save_file(arrays, path, metadata={"congruity": text})
    with pytest.raises(StoreError, match="holds NaN or infinity"):
        cg.Fingerprint.load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    save_file({"w": np.zeros(3)}, weights, metadata={"format": "pt"})
    with pytest.raises(StoreError, match="but no fingerprint: its header has no 'congruity' entry"):
        cg.Fingerprint.load(weights)
    with pytest.raises(StoreError, match="no such fingerprint file"):
        cg.Fingerprint.load(tmp_path / "missing.safetensors")
    with pytest.raises(StoreError, match=r"a fingerprint's file name ends in \.safetensors"):
        synthetic.fingerprint("a", n=2, m=6).save(tmp_path / "a.npz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.safetensors"]


# ---------------------------------------------------------------------------------------------------------- writing


def failing(code: int) -> Callable[..., Any]:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("where", ["replace", "fsync", "mkdir"])
@pytest.mark.parametrize(
    ("code", "message"),
    [(errno.ENOSPC, "no space left"), (errno.EACCES, "cannot write in"), (errno.EROFS, "cannot write in")],
)
def test_a_refused_write_is_one_sentence_and_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, where: str, code: int, message: str
) -> None:
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Path if where == "mkdir" else os, where, failing(code))
        with pytest.raises(StoreError, match=message) as error:
            synthetic.fingerprint("b", n=2, m=6, seed=2).save(path)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["a.safetensors"]


def test_an_interrupted_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def interrupt(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            synthetic.fingerprint("b", n=2, m=6, seed=2).save(path)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize(
    "place",
    [
        "file/below.safetensors",
        "file/far/below.safetensors",
        "folder.safetensors",
        "x" * 300 + ".safetensors",
    ],
)
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(StoreError):
        synthetic.fingerprint("b", n=2, m=6).save(tmp_path / place)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.safetensors"]


# ------------------------------------------------------------------------------------------------- tables and JSON


@pytest.mark.parametrize("bounds", [True, False])
def test_tables_read_back_equal(tmp_path: Path, bounds: bool) -> None:
    values = np.array([[0.0, 0.5], [0.25, 0.0]])
    ends = {"lower": values * 0.9, "upper": values * 1.1} if bounds else {}
    table = DistanceTable("spectral", values, ("a", "b"), **ends, parameters={"tol": 1e-3}, traits=Ridge.traits)
    path = store.save_table(table, tmp_path / "t.safetensors")
    loaded = store.load_table(path)
    assert loaded.measure == "spectral" and loaded.labels == ("a", "b") and loaded.parameters == {"tol": 1e-3}
    assert loaded.traits == Ridge.traits and loaded.traits.range[1] == float("inf")
    assert np.array_equal(loaded.values, values) and (loaded.lower is not None) is bounds
    assert store.save_table(loaded, tmp_path / "u.safetensors").read_bytes() == path.read_bytes()
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(StoreError, match="truncated"):
        store.load_table(path)
    save_file({"values": values[:1]}, path, metadata={"congruity": json.dumps({"measure": "x"})})
    with pytest.raises(StoreError, match="the distance table's header is damaged"):
        store.load_table(path)


def test_an_edited_table_is_refused(tmp_path: Path) -> None:
    path = store.save_table(DistanceTable("cka", np.eye(3), ("a", "b", "c")), tmp_path / "t.safetensors")
    content = bytearray(path.read_bytes())
    content[header_end(content) + 12] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError):
        store.load_table(path)


def test_json_is_read_back_and_damage_is_one_sentence(tmp_path: Path) -> None:
    path = files.write_json({"naïve": [1, None]}, tmp_path / "deep" / "x.json")
    assert files.read_json(path) == {"naïve": [1, None]} and path.read_bytes().endswith(b"\n")
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json({"x": float("nan")}, path)
    path.write_bytes(b'{"a": ')
    with pytest.raises(StoreError, match="not JSON"):
        files.read_json(path)
    for text in ("[" * 10**5, "9" * 5000, "\ud800"):
        path.write_bytes(text.encode(errors="surrogatepass"))
        with pytest.raises(StoreError, match="not JSON"):
            files.read_json(path)
    with pytest.raises(StoreError, match="no such file"):
        files.read_json(tmp_path / "none.json")


# ------------------------------------------------------------------------------------------------------------ cache


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONGRUITY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fill(place: Path) -> None:
    (place / "weights").write_text("whole")


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, ValueError, OSError(errno.ENOSPC, "full"), OSError(errno.EACCES, "no")]
)
def test_an_interrupt_while_making_leaves_nothing_and_the_next_call_works(folder: Path, error: Any) -> None:
    def half(place: Path) -> None:
        (place / "weights").write_text("ha")
        raise error

    expected = StoreError if isinstance(error, OSError) else error
    with pytest.raises(expected):
        cache.folder_for("0" * 64, half, kind="models")
    assert [p.name for p in (folder / "models").iterdir() if p.suffix != ".lock"] == []
    made = cache.folder_for("0" * 64, fill, kind="models")
    assert made == folder / "models" / ("0" * 64) and (made / "weights").read_text() == "whole"

    def never(place: Path) -> None:
        raise AssertionError("made twice")

    assert cache.folder_for("0" * 64, never, kind="models") == made


def _worker(other_runs: Any, calls: Any, found: Any) -> None:
    def slow(place: Path) -> None:
        with calls.get_lock():
            calls.value += 1
        other_runs.wait()  # so that both want the folder while it is being made
        fill(place)

    if multiprocessing.current_process().name == "second":
        other_runs.set()
    found.put(str(cache.folder_for("1" * 64, slow, kind="models")))


def test_two_processes_make_one_folder(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    other_runs, calls, found = context.Event(), context.Value("i", 0), context.Queue()
    workers = [context.Process(target=_worker, args=(other_runs, calls, found), name=n) for n in ("first", "second")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [w.exitcode for w in workers] == [0, 0] and calls.value == 1
    assert {found.get(timeout=5) for _ in workers} == {str(folder / "models" / ("1" * 64))}
    assert [p.name for p in (folder / "models").iterdir() if p.suffix != ".lock"] == ["1" * 64]


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONGRUITY_CACHE", str(tmp_path / "file"))
    with pytest.raises(CongruityError, match="name another folder"):
        cache.folder_for("2" * 64, fill, kind="models")
