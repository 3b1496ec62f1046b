"""man(7) formatting for the programs beside this file that write manual pages, and the list of those pages."""

import pathlib


def pages():
    """The pages in etc that are manual pages: name and section, by file."""
    lines = (pathlib.Path(__file__).parent / "manual-pages").read_text("utf-8").splitlines()
    return {file: (name, section) for name, section, file in map(str.split, lines)}


PAGES = pages()


def also(name, others):
    """The section SEE ALSO of the page NAME: our other pages, then others, each with its section."""
    listed = [page for page in PAGES.values() if page[0] != name] + others
    yield ".SH SEE ALSO"
    for page, section in listed[:-1]:
        yield f".BR {page} ({section}),"
    yield f".BR {listed[-1][0]} ({listed[-1][1]})"


def roff(text):
    """Text that troff prints literally; `words` in backquotes become bold."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    parts = text.split("`")
    text = "".join(part if index % 2 == 0 else "\\fB" + part + "\\fR" for index, part in enumerate(parts))
    return protected(text)


def protected(text):
    """Escapes lines that troff would read as requests."""
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def verbatim(lines):
    """Lines unchanged, in a fixed-width font where there is one."""
    yield from (".PP", ".RS 2", ".EX")
    yield from (protected(line.replace("\\", "\\e").replace("-", "\\-")) for line in lines)
    yield from (".EE", ".RE")


def title(name, section, version, manual):
    # No hyphenation: many words are meant to be typed.
    return f'.nr HY 0\n.TH {name.upper()} {section} "" "backhaul {version}" "{manual}"\n.nh'
