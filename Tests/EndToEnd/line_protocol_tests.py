"""Line protocol over TCP."""

from support import HOUR, expect, psql


def test_a_synced_line_is_there_for_psql(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"cpu,host=a usage=1.5,n=3i {HOUR}\ncpu,host=b usage=2.5 {HOUR + 1}\n")
    rows, rejected, sequence, errors = lines.sync("hello-1_A")
    expect((rows, rejected, errors), (2, 0, []))
    assert sequence > 0
    output = psql(server, "SELECT host, usage, n FROM cpu ORDER BY host")
    assert "a    |   1.5 | 3" in output and "(2 rows)" in output, output


def test_a_bad_line_is_reported_and_the_rest_goes_on(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"cpu,host=a usage=1 {HOUR}\nnonsense\ncpu,host=a usage=\"text\" {HOUR + 1}\ncpu,host=a usage=2 {HOUR + 2}\n")
    rows, rejected, _, errors = lines.sync()
    expect((rows, rejected), (2, 2))
    assert errors[0].startswith("t1 error line=2 column=") and "code=syntax" in errors[0], errors
    assert errors[1].startswith("t1 error line=3 column=") and "code=type_conflict" in errors[1], errors
    lines.send(f"cpu,host=a usage=3 {HOUR + 3}\nbad\n")
    rows, rejected, _, errors = lines.sync("t2")
    expect((rows, rejected), (1, 1))
    assert errors[0].startswith("t2 error line=7 "), errors


def test_the_half_close_is_answered_with_the_whole_connections_sum(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"cpu v=1 {HOUR}\nbad\n")
    lines.sync()
    lines.send(f"cpu v=2 {HOUR + 1}\ncpu v=3 {HOUR + 2}")
    answer = lines.end()
    assert answer.startswith("end ok rows=3 rejected=1 sequence="), answer
