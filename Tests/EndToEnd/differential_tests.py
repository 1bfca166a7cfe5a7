"""Varve answers as PostgreSQL 15 does: questions written down, errors, and questions made by chance."""

import os

from differential import tables
from differential.compare import Report
from differential.postgres import PostgreSQL, program
from differential.run import ask_generated, ask_written
from support import Skipped, connect


def both(context):
    if program("initdb") is None:
        raise Skipped("PostgreSQL 15 is not installed")
    postgres = PostgreSQL(context.path("postgres"))
    context.closing(postgres)
    one, other = postgres.connect(), connect(context.server())
    context.closing(one)
    context.closing(other)
    tables.create(one, other)
    return Report(one, other)


def test_written_questions_are_answered_as_by_postgresql(context):
    report = both(context)
    ask_written(report, "questions.sql")
    report.check()


def test_errors_have_the_sqlstates_of_postgresql(context):
    report = both(context)
    ask_written(report, "errors.sql")
    report.check()


def test_questions_made_by_chance_are_answered_as_by_postgresql(context):
    report = both(context)
    seed = int(os.environ.get("VARVE_SEED", "1"))
    ask_generated(report, seed, int(os.environ.get("VARVE_QUESTIONS", "600")))
    report.check(f"with seed {seed}")
