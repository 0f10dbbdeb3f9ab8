"""Rewrites a C file so that it holds all its mutants at once, each behind `is_mutant(N)` (see run.py).

clang's syntax tree says where each operand is, so the text between is all that changes. Inner mutants are rewritten
before outer ones; code that a macro brings in is left alone."""
import json
import subprocess

# What a careless hand would write: a bound off by one, a sign, the wrong side, the wrong connective.
BINARY = {
    "<": ["<=", ">"], "<=": ["<", ">"], ">": [">=", "<"], ">=": [">", "<"], "==": ["!="], "!=": ["=="],
    "+": ["-"], "-": ["+"], "*": ["+"], "/": ["*"], "%": ["/"], "&&": ["||"], "||": ["&&"], "&": ["|"], "|": ["&"],
    "<<": [">>"], ">>": ["<<"],
}
ASSIGN = {"+=": ["-="], "-=": ["+="], "|=": ["&="], "&=": ["|="], "<<=": [">>="], ">>=": ["<<="]}


class Mutant:
    def __init__(self, path, line, what):
        self.path, self.line, self.what = path, line, what

    def __str__(self):
        return f"{self.path}:{self.line}: {self.what}"


class Rewriter:
    def __init__(self, path, text, first):
        self.path, self.text, self.first = path, text, first
        self.mutants = []

    def new(self, offset, what):
        self.mutants.append(Mutant(self.path, self.text.count("\n", 0, offset) + 1, what))
        return self.first + len(self.mutants) - 1

    # ---- ranges; None where a macro or another file is involved

    def span(self, node):
        begin, end = node.get("range", {}).get("begin", {}), node.get("range", {}).get("end", {})
        if any("spellingLoc" in x or "includedFrom" in x or "offset" not in x for x in (begin, end)):
            return None
        return begin["offset"], end["offset"] + end["tokLen"]

    # ---- the rewritten text of a node

    def rewrite(self, node):
        """The text of the node's range with the mutants of it and of everything below."""
        span = self.span(node)
        kind, op = node.get("kind"), node.get("opcode")
        kids = node.get("inner", [])
        if kind == "BinaryOperator" and op in BINARY and len(kids) == 2:
            return self.binary(node, span, op)
        if kind == "CompoundAssignOperator" and op in ASSIGN:
            return self.compound(span, kids, op)
        parts = self.children(node, span)
        if kind == "UnaryOperator" and op == "!":
            n = self.new(span[0], "! dropped")
            return f"(is_mutant({n}) ? !({parts}) : ({parts}))"
        if kind == "CXXBoolLiteralExpr" or kind == "IntegerLiteral":
            n = self.new(span[0], f"{self.text[span[0]:span[1]]} + 1")
            return f"(is_mutant({n}) ? {parts} + 1 : {parts})"
        return parts

    def children(self, node, span):
        """The node's own text, its children's rewritten."""
        out, at = [], span[0]
        for kid in sorted((k for k in node.get("inner", []) if self.usable(k, span)), key=self.span):
            begin, end = self.span(kid)
            if begin < at:
                continue
            out += [self.text[at:begin], self.statement(node, kid)]
            at = end
        return "".join(out) + self.text[at:span[1]]

    def usable(self, node, within):
        span = self.span(node) if node.get("kind") else None
        return span is not None and within[0] <= span[0] and span[1] <= within[1] and span[0] < span[1]

    def statement(self, parent, node):
        """A statement of its own may be left out: an assignment, a call, a return's value flipped."""
        text = self.rewrite(node)
        kind = node["kind"]
        if kind == "ReturnStmt" and node.get("inner"):
            value = node["inner"][0]
            if value.get("type", {}).get("qualType") == "_Bool" or self.text[self.span(node)[0]:].startswith(
                    ("return true", "return false")):
                n = self.new(self.span(node)[0], "returned bool negated")
                return f"return is_mutant({n}) ? !({text[6:]}) : ({text[6:]})"
            return text
        is_body = parent["kind"] == "CompoundStmt"
        if is_body and (kind in ("CallExpr", "CompoundAssignOperator") or
                        kind == "BinaryOperator" and node.get("opcode") == "="):
            n = self.new(self.span(node)[0], "statement left out")
            return f"if (!is_mutant({n})) {text}"
        return text

    def binary(self, node, span, op):
        left, right = node["inner"]
        if not (self.usable(left, span) and self.usable(right, span)):
            return self.text[span[0]:span[1]]
        a, b = self.rewrite(left), self.rewrite(right)
        pointer = any("*" in k.get("type", {}).get("qualType", "") for k in (left, right))
        text = f"({a}) {op} ({b})"
        for other in BINARY[op]:
            if pointer and op not in ("==", "!=", "&&", "||"):
                continue
            text = f"is_mutant({self.new(span[0], f'{op} -> {other}')}) ? ({a}) {other} ({b}) : ({text})"
        return f"({text})"

    def compound(self, span, kids, op):
        a, b = self.rewrite(kids[0]), self.rewrite(kids[1])
        text = f"{a} {op} {b}"
        for other in ASSIGN[op]:
            text = f"(is_mutant({self.new(span[0], f'{op} -> {other}')}) ? ({a} {other} {b}) : ({text}))"
        return text


def in_file(node, state):
    """clang leaves the file out where it is the same as before."""
    file = node.get("loc", {}).get("file")
    if file is not None:
        state["file"] = file
    return state["file"]


def rewrite_file(path, first, flags):
    """The text of the file with its mutants numbered from `first` on, and the mutants."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    done = subprocess.run(["clang", *flags, "-fsyntax-only", "-Xclang", "-ast-dump=json", path], capture_output=True,
                          text=True, check=True)
    tree = json.loads(done.stdout)
    rewriter = Rewriter(path, text, first)
    state = {"file": ""}
    out, at = [], 0
    for node in tree["inner"]:
        mine = in_file(node, state) == path
        body = next((k for k in node.get("inner", []) if k.get("kind") == "CompoundStmt"), None)
        if node["kind"] != "FunctionDecl" or body is None or not mine or "includedFrom" in node.get("loc", {}):
            continue
        begin, end = rewriter.span(body)
        out += [text[at:begin], rewriter.rewrite(body)]
        at = end
    return '#include "switch.h"\n' + "".join(out) + text[at:], rewriter.mutants
