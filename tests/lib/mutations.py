"""Single changes of C++ text that keep it C++ and change what it says: of operators and of constants."""

import dataclasses
import random
import re

# clang-format puts blanks around an operator with two operands, and none beside a template's bracket, a pointer's star, a
# reference's ampersand or a sign.
_BETWEEN_BLANKS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
    "+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "<<": ">>", ">>": "<<", "&": "|", "|": "&", "^": "|",
    "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "<<=": ">>=", ">>=": "<<=", "&=": "|=", "|=": "&=",
}  # fmt: skip
_ANYWHERE = {"++": "--", "--": "++", "!": "", "true": "false", "false": "true", "continue": "break"}
_STANDARD = {"min": "max", "max": "min"}  # of namespace std
_OPERATORS = sorted({*_BETWEEN_BLANKS, *_ANYWHERE, "->", "<=>", "::", "..."} - {"true", "false", "continue"}, key=len, reverse=True)
_TOKEN = re.compile(
    r"(?P<blank>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)"
    r'|(?P<string>R"(?P<end>[^(\s]*)\(.*?\)(?P=end)"|"(?:\\.|[^"\\\n])*")'
    r"|(?P<character>'(?:\\.|[^'\\\n])+')"
    r"|(?P<number>\.?\d(?:[eEpP][+-]|'(?=\w)|[\w.])*)"
    r"|(?P<word>[A-Za-z_]\w*)"
    rf"|(?P<operator>{'|'.join(map(re.escape, _OPERATORS))}|.)",
    re.DOTALL | re.MULTILINE,
)
_INTEGER = re.compile(r"(?P<digits>0[xX][0-9a-fA-F']+|[0-9][0-9']*)(?P<kind>[uUlLzZ]*)")
_DECIMAL = re.compile(r"(?P<whole>\d+)(?P<rest>\.\d+[fF]?)")


@dataclasses.dataclass(frozen=True)
class Mutation:
    file: str
    line: int
    column: int
    offset: int
    before: str
    after: str
    code: str  # the line, for whoever reads of it

    def place(self):
        return f"{self.file}:{self.line}:{self.column}"

    def __str__(self):
        return f"{self.place()}: {self.before} → {self.after or 'nothing'}   in   {self.code}"

    def apply(self, text):
        return text[: self.offset] + self.after + text[self.offset + len(self.before) :]


def mutations_of(file, text):
    """All of a file, in its order."""
    found = []
    tokens = [m for m in _TOKEN.finditer(text) if m.lastgroup != "blank"]
    skipped = _not_run(tokens)
    for i, token in enumerate(tokens):
        if i in skipped:
            continue
        around = tokens[i - 1] if i > 0 else None, tokens[i + 1] if i + 1 < len(tokens) else None
        after = _changed(token, *around, text)
        if after is None:
            continue
        start = text.rfind("\n", 0, token.start()) + 1
        code = text[start : text.find("\n", start)].strip()
        line = text.count("\n", 0, start) + 1
        found.append(Mutation(file, line, token.start() - start + 1, token.start(), token[0], after, code))
    return found


def choose(found, seed):
    """All of them in an order any beginning of which is spread evenly over the files. A change of one file leaves the choice
    in the others."""
    of_file = {}
    for mutation in found:
        of_file.setdefault(mutation.file, []).append(mutation)
    keyed = []
    for file, its in of_file.items():
        generator = random.Random(f"{seed} {file}")
        generator.shuffle(its)
        start = generator.random()
        keyed += [((rank + start) / len(its), file, mutation) for rank, mutation in enumerate(its)]
    return [mutation for *_, mutation in sorted(keyed, key=lambda entry: entry[:2])]


def _not_run(tokens):
    """Indexes of the tokens of attributes and of what only the compiler looks at."""
    skipped = set()
    i = 0
    while i < len(tokens):
        first = tokens[i][0]
        attribute = first == "[" and i + 1 < len(tokens) and tokens[i + 1][0] == "["
        if first == "static_assert" or attribute:
            opening, closing = "[]" if attribute else "()"
            depth, end = 0, i if attribute else i + 1
            while end < len(tokens):
                depth += (tokens[end][0] == opening) - (tokens[end][0] == closing)
                skipped.add(end)
                if depth == 0:
                    break
                end += 1
            i = end
        i += 1
    return skipped


def _changed(token, before, after, text):
    """What stands there instead, None where nothing does."""
    word = token[0]
    if token.lastgroup == "character":
        return _next_character(word)
    if token.lastgroup == "number":
        is_size_of_a_type = after is not None and after[0] == ">" and text[token.end()] == ">"
        return None if is_size_of_a_type else _one_more(word)
    if before is not None and before[0] == "operator":
        return None
    if word in _STANDARD:
        return _STANDARD[word] if text.endswith("std::", 0, token.start()) else None
    if word in _ANYWHERE:
        return _ANYWHERE[word]
    if word == "&&" and after is not None and after[0] in "{;":
        return None  # of a function for temporary objects
    if word not in _BETWEEN_BLANKS or not (text[token.start() - 1].isspace() and text[token.end()].isspace()):
        return None
    has_string = any(one is not None and one.lastgroup == "string" for one in (before, after))
    return None if has_string and word[0] in "+/" else _BETWEEN_BLANKS[word]


def _one_more(number):
    if match := _INTEGER.fullmatch(number):
        digits = match["digits"].replace("'", "")
        more = f"0x{int(digits, 16) + 1:x}" if digits[:2] in ("0x", "0X") else str(int(digits) + 1)
        return more + match["kind"]
    if match := _DECIMAL.fullmatch(number):
        return str(int(match["whole"]) + 1) + match["rest"]
    return None  # with an exponent: a limit of rounding, which is nobody's to tell from twice as much


def _next_character(quoted):
    if quoted[1] == "\\":
        return "'\\t'" if quoted == "'\\n'" else "'\\n'"
    following = chr(ord(quoted[1]) + 1)
    return f"'{following}'" if following not in "'\\" else f"'{chr(ord(following) + 1)}'"
