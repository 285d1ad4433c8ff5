#!/usr/bin/python3
"""Checks that the documents say what is so. Usage: check_docs.py journal|map|links [TREE]

journal  docs/JOURNAL.md lists the MESSAGE_IDs and fields of lib/runtime/messages.cpp, all and no others
map      docs/ARCHITECTURE.md lists the folders of lib/, each with what tests/style lets it include
links    what a document links to, and the files and folders of the tree that it names, exist
"""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "style"))
from check_style import MAY_INCLUDE  # noqa: E402

NAMED = re.compile(r"`((?:lib|daemon|cli|config|docs|packaging|systemd|tests|udev-rules)/[\w./-]*[\w/])`")
LINKED = re.compile(r"\]\((?!https?:)([^)#\s]+)")


def text(tree, path):
    with open(os.path.join(tree, path)) as file:
        return file.read()


def compare(what, documented, real):
    return [f"{what} {each} is documented and does not exist" for each in sorted(documented - real)] + \
           [f"{what} {each} is not documented" for each in sorted(real - documented)]


def journal(tree):
    page, code = text(tree, "docs/JOURNAL.md"), text(tree, "lib/runtime/messages.cpp")
    kinds = set(re.findall(r"^\| `([0-9a-f]{32})` \| (\w+) \|", page, re.M))
    real = {(number, kind) for kind, number in re.findall(r'(\w+)_id = "([0-9a-f]{32})"', code)}
    fields = set(re.findall(r"^\| `(SATCHEL_\w+)`", page, re.M))
    wrong = compare("message", kinds, real)
    if len({number for number, _ in real}) != len(real) or not real:
        wrong.append("the ids of lib/runtime/messages.cpp are not distinct")
    return wrong + compare("field", fields, set(re.findall(r'"(SATCHEL_\w+)"', code)))


def map_(tree):
    page = text(tree, "docs/ARCHITECTURE.md")
    documented = {name: {word for word in re.split(r"[ ,]+", may) if word != "-"}
                  for name, may in re.findall(r"^\| `lib/(\w+)` \|[^|]*\| ([a-z, -]*?) *\|$", page, re.M)}
    folders = {name for name in os.listdir(os.path.join(tree, "lib")) if os.path.isdir(os.path.join(tree, "lib", name))}
    wrong = compare("folder", set(documented), folders)
    for name in sorted(folders & set(documented)):
        wrong += compare(f"lib/{name} includes", documented[name], MAY_INCLUDE.get(name, set()))
    return wrong


def links(tree):
    wrong = []
    for place, inner, names in os.walk(tree):
        inner[:] = sorted(name for name in inner if name != "build" and not name.startswith("."))
        for name in sorted(name for name in names if name.endswith(".md")):
            path = os.path.relpath(os.path.join(place, name), tree)
            page = re.sub(r"^```.*?^```", "", text(tree, path), flags=re.M | re.S)
            found = {os.path.join(os.path.dirname(path), link) for link in LINKED.findall(page)}
            found |= set(NAMED.findall(page))
            wrong += [f"{path}: there is no {each}" for each in sorted(found)
                      if not os.path.exists(os.path.join(tree, each))]
    return wrong


def main():
    checks = {"journal": journal, "map": map_, "links": links}
    if len(sys.argv) < 2 or sys.argv[1] not in checks:
        sys.exit(__doc__)
    tree = sys.argv[2] if len(sys.argv) > 2 else \
        os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    wrong = checks[sys.argv[1]](tree)
    print("\n".join(wrong) if wrong else f"{sys.argv[1]}: nothing to say")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
