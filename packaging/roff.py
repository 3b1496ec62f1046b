"""Words of man(7), for the programs beside this file that write manual pages."""


def roff(text):
    """Text that troff prints as it is; `words` in backquotes are bold."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    parts = text.split("`")
    text = "".join(part if index % 2 == 0 else "\\fB" + part + "\\fR" for index, part in enumerate(parts))
    return protected(text)


def protected(text):
    """Lines that begin as a request of troff's would, made text."""
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def verbatim(lines):
    """Lines as they stand, in a fixed font where there is one."""
    yield from (".PP", ".RS 2", ".EX")
    yield from (protected(line.replace("\\", "\\e").replace("-", "\\-")) for line in lines)
    yield from (".EE", ".RE")


def title(name, section, version, manual):
    return f'.TH {name.upper()} {section} "" "backhaul {version}" "{manual}"'
