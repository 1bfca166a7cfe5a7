"""Asks both sides one question and compares what they say."""

import math

FLOATS = (700, 701)


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


def same_value(left, right, type_):
    if left == right:
        return True
    if left is None or right is None or type_ not in FLOATS:
        return False
    left, right = float(left), float(right)
    return math.isclose(left, right, rel_tol=1e-11, abs_tol=1e-11) or (math.isnan(left) and math.isnan(right))


def difference(expected, actual, ordered=True):
    """None if the answers agree, else what does not."""
    if expected.sqlstate or actual.sqlstate:
        return None if expected.sqlstate == actual.sqlstate else "SQLSTATE"
    if [name for name, _ in expected.columns] != [name for name, _ in actual.columns]:
        return "names of columns"
    if expected.columns != actual.columns:
        return "types of columns"
    left, right = expected.rows, actual.rows
    if len(left) != len(right):
        return "number of rows"
    if not ordered:
        def order(row):
            return [(value is not None, value or "") for value in row]
        left, right = sorted(left, key=order), sorted(right, key=order)
    types = [type_ for _, type_ in expected.columns]
    for one, other in zip(left, right):
        if not all(map(same_value, one, other, types)):
            return f"values: {one} is not {other}"
    return None


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
        what = difference(expected, actual, ordered)
        if what:
            self.differences.append(f"{what}\n  {sql}\n  PostgreSQL: {expected}\n  Varve: {actual}")

    def check(self, context=""):
        shown = "\n\n".join(self.differences[:20])
        assert not self.differences, f"{len(self.differences)} of {self.asked} answers differ {context}\n{shown}"
