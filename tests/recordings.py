"""Recorded answers of real servers and of the real mc, by the name of the recording."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import httpx

DATA = Path(__file__).parent / "data"


@cache
def _records(file: str) -> dict[str, dict[str, Any]]:
    lines = (DATA / file).read_text("utf-8").splitlines()
    return {record["name"]: record for record in map(json.loads, lines)}


def minio(name: str) -> httpx.Response:
    """Return what a MinIO server answered."""
    record = _records("minio/exchanges.jsonl")[name]
    return httpx.Response(record["status"], headers=record["headers"], text=record["body"])


def kes(name: str) -> httpx.Response:
    """Return what a KES answered."""
    record = _records("kes/exchanges.jsonl")[name]
    return httpx.Response(record["status"], headers=record["headers"], text=record["answer"])


def mc_answer(name: str) -> dict[str, Any]:
    """Return the first object that ``mc --json`` printed."""
    answer: dict[str, Any] = _records("mc/answers.jsonl")[name]["answer"]
    return answer


def kes_vectors() -> dict[str, Any]:
    """Return the known answers of KES's identities, keys and ciphertexts."""
    vectors: dict[str, Any] = json.loads((DATA / "kes/vectors.json").read_text("utf-8"))
    return vectors
