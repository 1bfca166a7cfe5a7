"""Asks Varve and PostgreSQL 15 the same, for longer than the tests do. See Tools/differential."""

import argparse
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from differential import tables  # noqa: E402
from differential.compare import Report  # noqa: E402
from differential.generator import Generator  # noqa: E402
from differential.postgres import PostgreSQL, program  # noqa: E402
from support import Context, connect  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def written(name):
    """The questions of a file: one a line."""
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file if line.strip() and not line.startswith("--")]


def ask_written(report, name):
    for sql in written(name):
        report.ask(sql, ordered="ORDER BY" in sql)


def ask_generated(report, seed, count, until=None):
    generator = Generator(seed)
    for _ in range(count):
        if until and time.monotonic() > until:
            return
        report.ask(generator.question(), may_refuse=True)


def main():
    parser = argparse.ArgumentParser(description="Questions to Varve and to PostgreSQL 15, whose answers must agree.")
    parser.add_argument("--binary", default=".build/release/varve")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round; each has 500 questions")
    parser.add_argument("--seconds", type=float, default=60, help="for the questions made by chance")
    parser.add_argument("--show", type=int, default=20, help="how many differences are printed")
    parser.add_argument("--only", choices=["questions", "errors", "chance"])
    options = parser.parse_args()
    if program("initdb") is None:
        sys.exit("PostgreSQL 15 is not installed: apt-get install postgresql-15")
    directory = tempfile.mkdtemp(prefix="varve-differential-")
    context = Context(os.path.abspath(options.binary), directory)
    try:
        postgres = PostgreSQL(context.path("postgres"))
        context.closing(postgres)
        with postgres.connect() as one, connect(context.server()) as other:
            tables.create(one, other)
            report = Report(one, other)
            for name in ("questions", "errors"):
                if options.only in (None, name):
                    ask_written(report, name + ".sql")
            until = time.monotonic() + options.seconds
            seed = options.seed
            while options.only in (None, "chance") and time.monotonic() < until:
                ask_generated(report, seed, 500, until)
                seed += 1
    finally:
        context.close()
        shutil.rmtree(directory, ignore_errors=True)
    for text in report.differences[:options.show]:
        print(text + "\n")
    print(f"{report.asked} questions, seeds {options.seed} to {seed - 1}: {len(report.differences)} answers differ, "
          f"{report.refused} refused as not supported")
    sys.exit(1 if report.differences else 0)


if __name__ == "__main__":
    main()
