"""RASP programs as networks: compiled by Tracr, run in PyTorch. Only compiling needs JAX.

Source: Lindner et al. 2023, arXiv 2301.05062 (Tracr). Its own networks run one input at a time; these run batches.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from congruity._base.optional import require
from congruity.errors import InputError, ModelError
from congruity.known.algorithms import by_name
from congruity.known.networks.compiled import Layer, Matrix, Weights

_BOS = "bos"


def compiled(family: str, algorithm: str, n: int) -> Weights:
    """Return the weights of one algorithm of `congruity.known.algorithms` for sequences of n tokens.

    Args:
        family, algorithm: by name, such as "permutation" and "parity".
        n: sequence length, at least 3.

    Raises:
        UnknownNameError: no such family or algorithm.
        InputError: a length that makes no sense.
        MissingExtraError: Tracr is not installed.
        ModelError: Tracr made something that is not a network with one answer a position.

    >>> compiled("permutation", "count", 4).tokens.shape  # doctest: +SKIP
    (5, 33)
    """
    program, made = assembled(family, algorithm, n)
    return _weights(made, program.label, by_name(family).classes(n), f"{family}/{algorithm}")


@functools.cache
def assembled(family: str, algorithm: str, n: int) -> tuple[Any, Any]:
    """Return the RASP program and Tracr's own model of it; arguments and errors as for `compiled`."""
    if not isinstance(n, int) or n < 3:
        raise InputError(f"compiled: n = {n!r} tokens; ask for a whole number from 3")
    chosen = by_name(family)
    program = chosen.algorithm(algorithm).program(n)
    compiling = require("tracr.compiler.compiling", "congruity[rasp]", "compiling RASP programs")
    vocabulary = set(range(chosen.vocabulary(n)))
    return program, compiling.compile_rasp_to_model(program, vocab=vocabulary, max_seq_len=n, compiler_bos=_BOS)


def _weights(made: Any, label: str, classes: int, name: str) -> Weights:
    config = made.model_config
    if config.layer_norm or config.causal:
        raise ModelError(f"{name}: Tracr compiled with normalisation or a causal mask, which is not what we run")
    parts = {
        path: {key: np.asarray(value, dtype=np.float64) for key, value in values.items()}
        for path, values in made.params.items()
    }
    ids = made.input_encoder.encoding_map
    order = [ids[token] for token in sorted(token for token in ids if isinstance(token, int))] + [ids[_BOS]]
    tokens = parts["token_embed"]["embeddings"][order]
    answer = np.zeros((tokens.shape[1], classes))
    for row, direction in enumerate(made.residual_labels):
        where, _, value = direction.rpartition(":")
        if where == label and value.isdigit() and int(value) < classes:
            answer[row, int(value)] = 1.0
    if not answer.any(axis=0).any():
        raise ModelError(f"{name}: Tracr's network has no direction for the program's output {label!r}")
    layers = tuple(_layer(parts, i, config.num_heads, config.key_size) for i in range(config.num_layers))
    return Weights(tokens, parts["pos_embed"]["embeddings"], layers, answer, bos=len(order) - 1)


def _layer(parts: dict[str, dict[str, Matrix]], i: int, heads: int, size: int) -> Layer:
    def affine(path: str) -> Matrix:
        part = parts[f"transformer/layer_{i}/{path}"]
        return np.concatenate([part["w"], part["b"][None]])

    def by_head(path: str) -> Matrix:
        matrix = affine(path)
        return np.ascontiguousarray(matrix.reshape(len(matrix), heads, size).transpose(1, 0, 2))

    out = affine("attn/linear")
    return Layer(
        by_head("attn/query"), by_head("attn/key"), by_head("attn/value"),
        out[:-1].reshape(heads, size, -1), out[-1], affine("mlp/linear_1"), affine("mlp/linear_2"),
    )  # fmt: skip
