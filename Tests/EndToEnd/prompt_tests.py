"""The prompt of `varve sql`."""

import os
import stat
import time

from long_query_tests import ENDLESS, ENDLESS_ROWS
from support import HOUR, expect
from terminal import Terminal


def test_the_prompt_takes_statements_over_several_lines(context):
    server = context.server()
    output, error = context.run(
        "sql", "--connect", server.url, "--format", "csv",
        stdin="SELECT 1 AS one,\n ';' AS semicolon; SELECT 2 AS two;\nSELECT nothing;\n\\timing\nSELECT 3 AS three\n", code=1)
    assert output.startswith("one,semicolon\n1,;\ntwo\n2\nTiming is on.\nthree\n3\nTime: "), output
    assert "nothing" in error and "LINE 1" in error, error


def start(context, server, **environment):
    home = context.path("home")
    os.makedirs(home, exist_ok=True)
    terminal = Terminal([context.binary, "sql", "--connect", server.url, "--format", "csv"], {"HOME": home, **environment})
    context.closing(terminal)
    terminal.expect("varve=> ")
    return terminal


def ask(terminal, expected, *keys):
    """Types at the prompt, and waits for what is expected and for the next prompt."""
    terminal.send(*keys, Terminal.ENTER)
    terminal.expect(expected)
    terminal.expect("varve=> ")


def test_a_line_at_the_prompt_can_be_edited(context):
    terminal = start(context, context.server())
    key = Terminal
    ask(terminal, "105", "SELECT 100+5;")
    ask(terminal, "157", key.UP, key.LEFT, "7")
    ask(terminal, "1010", "LECT 1000+1;", key.HOME, "SE", key.END, key.BACKSPACE, "0;")
    ask(terminal, "31", "SELECT 30+1;x", key.LEFT, key.DELETE)
    # A character of two bytes, one that is two columns wide, and one with a mark that combines: a key takes each away.
    ask(
        terminal, "\nnot\r", "SELECT 'né", key.BACKSPACE, "o' || '語", key.BACKSPACE, "e\u0301", key.BACKSPACE,
        "t' AS text;")
    ask(terminal, "\nné語\r", "SELECT 'né語' AS text;")
    ask(terminal, "22", "SELECT 1+1 AS gone", key.control("u"), "SELECT 20+2;")
    ask(terminal, "30", "SELECT 1+2", key.control("w"), "29;")
    # Longer than the screen is wide.
    ask(terminal, "150", "SELECT " + "+".join(["1"] * 150), ";")
    terminal.send("\\q", key.ENTER)
    expect(terminal.wait(), 0)


def test_ctrl_c_gives_up_a_line_and_ctrl_d_leaves(context):
    terminal = start(context, context.server())
    terminal.send("SELECT nonsense,", Terminal.ENTER)
    terminal.expect("varve-> ")
    terminal.send("more nonsense", Terminal.control("c"))
    terminal.expect("^C")
    terminal.expect("varve=> ")
    ask(terminal, "42", "SELECT 40+2;")
    terminal.send("x", Terminal.control("d"), Terminal.BACKSPACE, Terminal.control("d"))
    expect(terminal.wait(), 0)
    assert "ERROR" not in terminal.shown, terminal.shown


def test_the_prompt_remembers_statements_in_a_private_file(context):
    server = context.server()
    terminal = start(context, server)
    terminal.send("SELECT 50", Terminal.ENTER)
    terminal.expect("varve-> ")
    ask(terminal, "55", "+5;")
    ask(terminal, "66", "SELECT 60+6 AS \"back\\slash\";")
    terminal.send("\\q", Terminal.ENTER)
    expect(terminal.wait(), 0)
    path = context.path("home/.varve_history")
    expect(stat.S_IMODE(os.stat(path).st_mode), 0o600)
    terminal = start(context, server)
    terminal.send(Terminal.UP, Terminal.UP, Terminal.UP)
    terminal.expect("SELECT 50↵+5;")
    ask(terminal, "55")
    # Ctrl-R finds the newest that holds what is typed, and again an older one; Ctrl-G goes back.
    terminal.send(Terminal.control("r"), "select")
    terminal.expect("(search) 'select': SELECT 50↵+5;")
    terminal.send(Terminal.control("r"))
    terminal.expect("SELECT 60+6")
    ask(terminal, "66")
    ask(terminal, "77", "SELECT 7", Terminal.control("r"), "60", Terminal.control("g"), "0+7;")
    terminal.send(Terminal.control("d"))
    expect(terminal.wait(), 0)


def test_the_history_has_a_limit(context):
    server = context.server()
    os.mkdir(context.path("home"))
    context.write("home/.varve_history", "".join(f"SELECT {i};\n" for i in range(5000)))
    terminal = start(context, server)
    terminal.send(Terminal.UP)
    terminal.expect("SELECT 4999;")
    terminal.send(Terminal.control("u"), Terminal.control("d"))
    expect(terminal.wait(), 0)
    with open(context.path("home/.varve_history")) as file:
        expect(len(file.readlines()), 1000)
    expect(stat.S_IMODE(os.stat(context.path("home/.varve_history")).st_mode), 0o600)


def test_the_prompt_describes_tables(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"weather,site=north celsius=1 {HOUR}\nWeather,site=north rain=1 {HOUR}\n")
    lines.sync()
    terminal = start(context, server, TERM="dumb")
    terminal.send("\\dt\n")
    terminal.expect("Weather\r\nweather")
    terminal.send("\\d weather;\n")
    terminal.expect("celsius,double precision")
    terminal.send("\\d WEATHER\n")
    terminal.expect("celsius,double precision")
    terminal.send('\\d "Weather"\n')
    terminal.expect("rain,double precision")
    terminal.send("\\d snow\n")
    terminal.expect('there is no table "snow"')
    terminal.send("\\timing\nSELECT 80+8;\n")
    terminal.expect("88")
    terminal.expect("Time: ")
    terminal.send("\\?\n")
    terminal.expect("leaves")
    terminal.send("\\q\n")
    expect(terminal.wait(), 0)


def test_statements_of_a_script_name_their_lines_and_decide_the_exit_code(context):
    server = context.server()
    script = context.write("script.sql", "SELECT 1 AS one;\n\nSELECT\n nothing;\nSELECT 2 AS two;\n")
    output, error = context.run("sql", "--connect", server.url, "--format", "csv", stdin=f"SELECT 0 AS zero;\n\\i {script}\nSELECT 3 AS three", code=1)
    expect(output, "zero\n0\none\n1\ntwo\n2\nthree\n3\n")
    assert f"{script}:3: ERROR:" in error and "LINE 2:" in error, error
    output, error = context.run("sql", "--connect", server.url, "--format", "csv", stdin="SELECT 1 AS one;\n\\i /nowhere\n\\nonsense\nSELECT 2 AS two;", code=1)
    expect(output, "one\n1\ntwo\n2\n")
    assert "<stdin>:2: " in error and "/nowhere" in error and "<stdin>:3: " in error, error
    context.run("sql", "--connect", server.url, stdin="\\q\nSELECT nothing;\n")
    target = context.path("out.csv")
    context.run("sql", "--connect", server.url, "--format", "csv", stdin=f"\\o {target}\nSELECT 7 AS seven;\n\\o\n")
    with open(target) as file:
        expect(file.read(), "seven\n7\n")


def test_tab_completes_keywords_tables_columns_and_functions(context):
    server = context.server()
    lines = server.lines()
    lines.send(f"weather,site=north celsius=1,pressure=2 {HOUR}\nWeather,site=north rain=1 {HOUR}\n")
    lines.sync()
    terminal = start(context, server)
    ask(terminal, "north,1", "sel\tsite, cel\tfrom wea\t;")
    ask(terminal, "\n1\r", "SELECT w.rai\tFROM \"W\tw;")
    ask(terminal, "celsius,double precision", "\\d wea\t")
    terminal.send("SELECT now", "\t")
    terminal.expect("now(")
    terminal.send(Terminal.control("u"), "SELECT * FROM weather WHERE press\t")
    terminal.expect("WHERE pressure ")
    # Several: the second Tab lists them.
    terminal.send(Terminal.control("u"), "SELECT * FROM \t", "\t")
    terminal.expect('"Weather"')
    terminal.expect("weather")
    terminal.send(Terminal.control("u"), "SELECT * FROM varve.que\t;", Terminal.ENTER)
    terminal.expect("postgres")
    terminal.expect("varve=> ")
    terminal.send("CREATE TABLE brandnew (time timestamptz, v float8);", Terminal.ENTER)
    terminal.expect("varve=> ")
    ask(terminal, "time,v", "SELECT * FROM bran\t;")
    terminal.send(Terminal.control("d"))
    expect(terminal.wait(), 0)


def test_ctrl_c_ends_the_query_that_runs(context):
    server = context.server()
    for place in (["--connect", server.url], ["--data", context.path("own")]):
        if place[0] == "--data":
            context.run("import", *place, "--format", "line-protocol", context.write("t.lp", f"t v=1 {HOUR}\n"))
        home = context.path("home")
        os.makedirs(home, exist_ok=True)
        terminal = Terminal([context.binary, "sql", *place, "--format", "csv"], {"HOME": home})
        context.closing(terminal)
        terminal.expect("varve=> ")
        terminal.send(ENDLESS + ";", Terminal.ENTER)
        time.sleep(1)
        terminal.send(Terminal.control("c"))
        terminal.expect("user request")
        terminal.expect("varve=> ")
        ask(terminal, "42", "SELECT 40+2;")
        terminal.send("SELECT 90+9 AS again;", Terminal.ENTER)
        terminal.expect("99")
        terminal.expect("varve=> ")
        terminal.send("\\watch 0.1", Terminal.ENTER)
        for _ in range(3):
            terminal.expect("again\r\n99")
        terminal.send(Terminal.control("c"))
        terminal.expect("varve=> ")
        terminal.send(Terminal.control("d"))
        expect(terminal.wait(), 0)


def test_long_results_go_through_the_pager(context):
    server = context.server()
    paged = context.path("paged")
    terminal = start(context, server, PAGER=f"cat > {paged}; echo paged by me")
    ask(terminal, "\n3\r", "SELECT n FROM generate_series(1, 3) n;")
    ask(terminal, "paged by me", "SELECT n FROM generate_series(1, 5000) n;")
    with open(paged) as file:
        expect(file.read(), "n\n" + "".join(f"{n}\n" for n in range(1, 5001)))
    terminal.send(Terminal.control("d"))
    expect(terminal.wait(), 0)
    # A pager that is left in the middle of a result without an end.
    terminal = start(context, server, PAGER="head -1; echo left")
    ask(terminal, "left", ENDLESS_ROWS + ";")
    ask(terminal, "42", "SELECT 40+2;")
    terminal.send(Terminal.control("d"))
    expect(terminal.wait(), 0)
    assert "ERROR" not in terminal.shown, terminal.shown


def test_the_editor_takes_the_last_statement(context):
    server = context.server()
    editor = context.write("editor", "#!/bin/sh\nsed -i s/40/50/ \"$1\"\n")
    os.chmod(editor, 0o700)
    terminal = start(context, server, EDITOR=editor, VISUAL=editor)
    ask(terminal, "42", "SELECT 40+2;")
    ask(terminal, "52", "\\e")
    terminal.send(Terminal.control("d"))
    expect(terminal.wait(), 0)


def test_series_are_drawn(context):
    server = context.server()
    lines = server.lines()
    lines.send("".join(f"cpu,host={host} v={(i % 20) * factor} {HOUR + i * 60 * 10**9}\n" for i in range(100) for host, factor in (("a", 1), ("b", 2))))
    lines.sync()
    query = "SELECT time, host, v FROM cpu ORDER BY time"
    output, _ = context.run("sql", "--connect", server.url, stdin=f"\\chart {query}\n")
    rows = output.split("\n")
    assert rows[0].startswith("38 ┤") and rows[15].startswith(" 0 ┤"), output
    assert "\x1b" not in output and "22:13" in rows[17] and "23:52" in rows[17], output
    assert rows[18].startswith("a  ") and "min 0  max 19  last 19" in rows[18] and "max 38" in rows[19], output
    output, _ = context.run("sql", "--connect", server.url, stdin=f"\\spark {query}\n")
    rows = output.split("\n")
    assert rows[0].startswith("a  ") and "█" in rows[0] and rows[1].startswith("b  "), output
    output, error = context.run("sql", "--connect", server.url, stdin="\\chart SELECT host FROM cpu\n\\chart SELECT time, v FROM cpu WHERE v < 0\n", code=1)
    assert "a chart needs a column of times and one of numbers" in error, error
    expect(output, "(no values to draw)\n")
    terminal = start(context, server)
    ask(terminal, "⣀", f"\\chart {query};")
    assert "ERROR" not in terminal.shown, terminal.shown
    terminal.send("\\x", Terminal.ENTER)
    terminal.expect("Expanded display is on")
    ask(terminal, "a = 1\r\nb = 2", "SELECT 1 AS a, 2 AS b;")
    terminal.send(Terminal.control("d"))
    expect(terminal.wait(), 0)
