"""The driver: executors read and sort, Spark brings each patient's lines together, executors answer; here it is kept."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings

from cds.bulk.deleted import deleted
from cds.errors import BadInput
from cds.population.fold import Answer, Asking
from cds.population.intake import Accounts, Reading, files_in, types_of
from cds.population.lines import Wanted
from cds.population.machine import settle
from cds.population.told import Told, heard
from cds.spark import executor
from cds.spark.executor import COUNT, NOBODY, Flaw

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_told = msgspec.msgpack.Decoder(Told | Flaw)


def on_spark(asking: Asking, folder: Path, block: int, *, master: str) -> Generator[Reading | list[Answer], None, None]:
    """An engine of `sweep`: driver and executors see the folder under the same path. Who has an answer is not asked again.

    Raises BadInput where pyspark is not installed. Accounts of lines without a patient come with the last answer.
    """
    needs = asking.service.needs
    files = files_in(folder)
    accounts = Accounts(asking.run, folder, files)
    with _session(master) as spark:
        yield Reading(file=accounts.name(0), line=0)
        read = partial(executor.owned, wanted=tuple(Wanted.of(needs)), types=types_of(needs), gone=deleted(asking.run))
        lines = _paths(spark, files).mapInArrow(read, executor.OWNED).persist()
        patients = lines.where("kind = 'Patient'").select("owner").distinct().count()
        _count(accounts, lines)
        asking.run.patients = patients
        asking.run.save(update_fields=["patients"])
        yield []
        answered = asking.run.results.values_list("pseudonym", flat=True)
        task = partial(executor.answered, task=pickle.dumps(asking.apart(answered)), block=block)
        found = lines.where(f"owner != '{NOBODY}'").repartition("owner").sortWithinPartitions("owner", "file", "line")
        told = found.mapInArrow(task, executor.TOLD).toLocalIterator(prefetchPartitions=True)
        yield from _blocks(_answers(asking, told, accounts), block)
        settle(asking.run, patients=patients, accounts=accounts)


def _paths(spark: SparkSession, files: list[Path]) -> DataFrame:
    """One partition a file, so that each is read by one executor."""
    rows = [(number, str(file)) for number, file in enumerate(files)]
    return spark.createDataFrame(spark.sparkContext.parallelize(rows, len(rows)), "file long, path string")


def _count(accounts: Accounts, lines: DataFrame) -> None:
    """How many lines each file has, how many are kept, and what is wrong with others."""
    for row in lines.where(f"owner = '{NOBODY}'").toLocalIterator():
        if row.kind == COUNT:
            accounts.of(row.file).lines = row.line
        else:
            accounts.flaw(row.file, row.line, row.kind)
    for row in lines.where(f"owner != '{NOBODY}'").groupBy("file").count().collect():
        accounts.of(row.file).used = row["count"]


def _blocks(answers: Iterator[Answer], size: int) -> Iterator[list[Answer]]:
    while block := list(islice(answers, size)):
        yield block


def _answers(asking: Asking, found: Iterator[Any], accounts: Accounts) -> Iterator[Answer]:
    for row in found:
        told = _told.decode(row.told)
        if isinstance(told, Flaw):
            accounts.flaw(told.file, told.line, told.reason, taken_back=True)
        else:
            yield heard(told, asking)


@contextmanager
def _session(master: str) -> Iterator[SparkSession]:
    """Executors run this very Python with this very configuration; what they spill stays below BULK_FOLDER."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise BadInput("Spark is not installed: see docs/scale.md") from error
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = (
        SparkSession.builder.master(master)
        .appName("Bedside")
        .config("spark.ui.enabled", "false")
        .config("spark.executorEnv.PYTHONPATH", str(settings.BASE_DIR))
        .config("spark.local.dir", str(settings.BULK_FOLDER))
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "2000")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()
