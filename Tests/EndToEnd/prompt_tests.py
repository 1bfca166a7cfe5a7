"""The prompt of `varve sql`."""

import os
import stat

from support import HOUR, expect
from terminal import Terminal


def test_the_prompt_takes_statements_over_several_lines(context):
    server = context.server()
    output, error = context.run(
        "sql", "--connect", server.url, "--format", "csv",
        stdin="SELECT 1 AS one,\n ';' AS semicolon; SELECT 2 AS two;\nSELECT nothing;\n\\timing\nSELECT 3 AS three\n")
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
