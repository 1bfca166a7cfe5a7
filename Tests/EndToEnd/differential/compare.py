"""Asks both sides one question and compares what they say."""

import math
import re

FLOATS, NUMERIC, INTERVAL = (700, 701), 1700, 1186
CHOOSING = re.compile(r"\b(UNION|INTERSECT|EXCEPT|DISTINCT|GROUP BY|LIMIT|OFFSET)\b")


class Answer:
    """What a server says: rows as text, or a SQLSTATE."""

    def __init__(self, connection, sql):
        result = connection.pgconn.exec_(sql.encode())
        self.sqlstate = None
        self.message = None
        self.columns, self.rows = [], []
        if result.status not in (1, 2):
            self.sqlstate = (result.error_field(67) or b"?????").decode()
            self.message = (result.error_field(77) or b"").decode()
            return
        self.columns = [(result.fname(i).decode(), result.ftype(i)) for i in range(result.nfields)]
        self.rows = [
            tuple(None if (value := result.get_value(row, i)) is None else value.decode() for i in range(result.nfields))
            for row in range(result.ntuples)]

    def __str__(self):
        if self.sqlstate:
            return f"{self.sqlstate} {self.message}"
        shown = "\n".join(f"    {row}" for row in self.rows[:8])
        return f"{self.columns}, {len(self.rows)} rows\n{shown}"


def same_value(left, right, type_, loosely=False):
    if left == right:
        return True
    if left is None or right is None or type_ not in FLOATS + (NUMERIC,) * loosely:
        return type_ == INTERVAL and loosely and None not in (left, right)
    left, right = float(left), float(right)
    return math.isclose(left, right, rel_tol=1e-11, abs_tol=1e-11) or (math.isnan(left) and math.isnan(right))


def unlike(left, right, types, loosely=False):
    """The first rows that differ."""
    for one, other in zip(left, right):
        if not all(same_value(*cells, loosely) for cells in zip(one, other, types)):
            return one, other
    return None


def by_text(rows):
    return sorted(rows, key=lambda row: [(value is not None, value or "") for value in row])


def difference(expected, actual, ordered=True, chooses=False):
    """None if the answers agree, else what does not. `ordered`: the rows have an order, though those that compare as
    equal (1.0 and 1.00, a month and thirty days) may have any. `chooses`: of equal ones the answer shows one."""
    if expected.sqlstate or actual.sqlstate:
        return None if expected.sqlstate == actual.sqlstate else "SQLSTATE"
    if [name for name, _ in expected.columns] != [name for name, _ in actual.columns]:
        return "names of columns"
    if expected.columns != actual.columns:
        return "types of columns"
    left, right = expected.rows, actual.rows
    if len(left) != len(right):
        return "number of rows"
    types = [type_ for _, type_ in expected.columns]
    if not ordered:
        left, right = by_text(left), by_text(right)
    found = unlike(left, right, types)
    if found and ordered and not unlike(left, right, types, loosely=True):
        # The order is right; then each row is there as it is, unless one of several was to be shown.
        found = None if chooses else unlike(by_text(left), by_text(right), types)
    return f"values: {found[0]} is not {found[1]}" if found else None


class Report:
    def __init__(self, postgres, varve):
        self.postgres, self.varve = postgres, varve
        self.asked, self.refused, self.differences = 0, 0, []

    def ask(self, sql, ordered=True, may_refuse=False):
        """`may_refuse`: that Varve says it does not support something is counted, not held against it."""
        expected, actual = Answer(self.postgres, sql), Answer(self.varve, sql)
        self.asked += 1
        if may_refuse and actual.sqlstate == "0A000" and expected.sqlstate != "0A000":
            self.refused += 1
            return
        what = difference(expected, actual, ordered, chooses=bool(CHOOSING.search(sql)))
        if what:
            self.differences.append(f"{what}\n  {sql}\n  PostgreSQL: {expected}\n  Varve: {actual}")

    def check(self, context=""):
        shown = "\n\n".join(self.differences[:20])
        assert not self.differences, f"{len(self.differences)} of {self.asked} answers differ {context}\n{shown}"
