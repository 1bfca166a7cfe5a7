"""The answers to TSBS queries, from the generated rows: plain Python, sharing nothing with the engine.

The rows of a data set come step by step in time, all hosts in each step."""
import array
import collections
import datetime
import fractions

START = 1451606400  # 2016-01-01T00:00:00Z
FIELD_COUNT = 10


def stamp(second):
    return datetime.datetime.fromtimestamp(second, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S+00")


class Answers:
    def __init__(self, file, shape):
        self.interval, self.hosts = shape["interval"], shape["scale"]
        self.fields = [array.array("q") for _ in range(FIELD_COUNT)]
        self.tags = []
        with open(file) as rows:
            header = next(rows).rstrip("\n").split(",")
            self.columns, self.names = header, header[-FIELD_COUNT:]
            for number, line in enumerate(rows):
                cells = line.rstrip("\n").split(",")
                if number < self.hosts:
                    self.tags.append(cells[1:-FIELD_COUNT])
                elif number % self.hosts == 0 and cells[0] != self.iso(number // self.hosts):
                    raise SystemExit(f"{file}: row {number} is not of its step")
                for field, cell in zip(self.fields, cells[-FIELD_COUNT:]):
                    field.append(int(cell))
        self.steps = len(self.fields[0]) // self.hosts
        self.host_numbers = {tags[0]: number for number, tags in enumerate(self.tags)}

    def iso(self, step):
        second = START + step * self.interval
        return datetime.datetime.fromtimestamp(second, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def second(self, step):
        return START + step * self.interval

    def steps_within(self, wanted):
        """Of `a <= time < b`."""
        first = max(0, -(-(wanted["a"] - START) // self.interval))
        end = min(self.steps, -(-(wanted["b"] - START) // self.interval))
        return range(first, end)

    def chosen(self, wanted):
        if not wanted["hosts"]:
            return range(self.hosts)
        return [self.host_numbers[host] for host in wanted["hosts"]]

    def row(self, step, host):
        place = step * self.hosts + host
        return (stamp(self.second(step)), *self.tags[host], *(str(field[place]) for field in self.fields))

    def difference(self, wanted, names, rows):
        """What is wrong with an answer; nothing if it is right."""
        if wanted["kind"] in ("high", "last"):  # all columns, in the table's order
            if sorted(names) != sorted(self.columns):
                return f"columns {names}"
            places = [names.index(column) for column in self.columns]
            rows = [tuple(row[place] for place in places) for row in rows]
        return getattr(self, "check_" + wanted["kind"])(wanted, rows)

    def check_max(self, wanted, rows):
        columns = [self.fields[self.names.index(name)] for name in wanted["fields"]]
        greatest = {}
        for step in self.steps_within(wanted):
            second = self.second(step)
            bucket = greatest.setdefault(second - second % wanted["bucket"], [-1] * len(columns))
            for host in self.chosen(wanted):
                place = step * self.hosts + host
                for number, column in enumerate(columns):
                    bucket[number] = max(bucket[number], column[place])
        return self.compare([(stamp(second), *map(str, values)) for second, values in sorted(greatest.items())], rows)

    def check_gbol(self, wanted, rows):
        column = self.fields[self.names.index("usage_user")]
        greatest = {}
        for step in self.steps_within({**wanted, "a": max(START, wanted["b"] - 6 * wanted["bucket"])}):
            second = self.second(step)
            bucket = second - second % wanted["bucket"]
            values = column[step * self.hosts:(step + 1) * self.hosts]
            greatest[bucket] = max(greatest.get(bucket, -1), max(values))
        newest = sorted(greatest.items(), reverse=True)[:5]
        return self.compare([(stamp(second), str(value)) for second, value in newest], rows)

    def check_avghost(self, wanted, rows):
        columns = [self.fields[self.names.index(name)] for name in wanted["fields"]]
        places = collections.defaultdict(list)
        for step in self.steps_within(wanted):
            second = self.second(step)
            places[second - second % wanted["bucket"]].append(step * self.hosts)
        order = sorted(range(self.hosts), key=lambda host: self.tags[host][0].encode())
        expected = [(second, host) for second in sorted(places) for host in order]
        if len(rows) != len(expected):
            return f"{len(rows)} rows instead of {len(expected)}"
        for (second, host), row in zip(expected, rows):
            if row[:2] != (stamp(second), self.tags[host][0]):
                return f"{row[:2]} instead of {stamp(second)}, {self.tags[host][0]}"
            for column, text in zip(columns, row[2:], strict=True):
                sum_ = sum(column[place + host] for place in places[second])
                if not is_rounded(fractions.Fraction(sum_, len(places[second])), text):
                    return f"{row}: {text} instead of {sum_} / {len(places[second])}"
        return None

    def check_high(self, wanted, rows):
        user = self.fields[self.names.index("usage_user")]
        chosen = self.chosen(wanted)
        expected = [self.row(step, host) for step in self.steps_within(wanted) for host in chosen
                    if user[step * self.hosts + host] > 90]
        return self.compare(sorted(expected), sorted(rows))

    def check_last(self, wanted, rows):
        order = sorted(range(self.hosts), key=lambda host: self.tags[host][0].encode())
        return self.compare([self.row(self.steps - 1, host) for host in order], rows)

    def compare(self, expected, rows):
        if len(rows) != len(expected):
            return f"{len(rows)} rows instead of {len(expected)}"
        return next((f"{row} instead of {wanted}" for row, wanted in zip(rows, expected) if row != wanted), None)


def is_rounded(exact, text):
    """Whether a decimal is the fraction to its last digit, of which there are at least 16."""
    whole, _, decimals = text.partition(".")
    digits = len((whole + decimals).lstrip("-0"))
    return (digits >= 16 or exact == 0) and abs(fractions.Fraction(text) - exact) * 10 ** len(decimals) * 2 <= 1
