"""Readable names for the documentation ids of .NET XML documentation, such as `M:System.Array.Sort``1(``0[])`."""

import re

KEYWORDS = {
    "System.Boolean": "bool", "System.Byte": "byte", "System.SByte": "sbyte", "System.Char": "char", "System.Decimal": "decimal",
    "System.Double": "double", "System.Single": "float", "System.Int32": "int", "System.UInt32": "uint", "System.Int64": "long",
    "System.UInt64": "ulong", "System.Int16": "short", "System.UInt16": "ushort", "System.Object": "object", "System.String": "string",
}
ARITY = re.compile(r"`+(\d+)$")


class TypeParameterNames:
    """Names of type parameters (`TKey`, `TValue`) by the documentation id of the type or method that declares them."""

    def __init__(self, members):
        self._names = {}
        for name, member in members:
            found = [element.get("name", "") for element in member.findall("typeparam")]
            if found:
                self._names[name[2:].split("(")[0]] = found

    def of(self, identifier):
        match = ARITY.search(identifier)
        if match is None:
            return []
        count = int(match.group(1))
        names = self._names.get(identifier, [])
        if len(names) == count:
            return names
        return ["T"] if count == 1 else [f"T{i + 1}" for i in range(count)]


def display_name(identifier, names, parameter_names=None):
    """`List<T>.Add` for a reference, `List<T>.Add(T item)` for a declaration (when parameter names are given)."""
    kind, _, rest = identifier.partition(":")
    if not rest:
        kind, rest = "T", identifier
    bare, _, tail = rest.partition("(")
    if kind == "T":
        return type_name(bare, names, keywords=False)
    if kind == "N":
        return bare
    owner, _, member = split_last(bare)
    owner_parameters, own_parameters = names.of(owner), names.of(bare)
    shown = member_name(member, owner, names)
    if own_parameters:
        shown += "<" + ", ".join(own_parameters) + ">"
    owner_name = type_name(owner, names, keywords=False)
    full = f"{owner_name}{shown}" if shown.startswith("[") else f"{owner_name}.{shown}"
    if parameter_names is None or kind not in "MP":
        return full
    # Conversion operators end in `)~Type`.
    arguments = split_arguments(tail.rsplit(")", 1)[0]) if tail else []
    shown_arguments = []
    for index, argument in enumerate(arguments):
        text = argument_name(argument, names, owner_parameters, own_parameters)
        shown_arguments.append(f"{text} {parameter_names[index]}" if index < len(parameter_names) else text)
    joined = ", ".join(shown_arguments)
    if kind == "P":
        return f"{full}[{joined}]" if arguments else full
    return f"{full}({joined})"


def split_last(text):
    """Splits at the last dot outside braces: explicit interface members carry braces in their name."""
    depth = 0
    for index in range(len(text) - 1, -1, -1):
        character = text[index]
        depth += (character in "}]") - (character in "{[")
        if character == "." and depth == 0:
            return text[:index], ".", text[index + 1:]
    return "", "", text


def member_name(member, owner, names):
    member = ARITY.sub("", member)
    if member in ("#ctor", "#cctor"):
        return ARITY.sub("", split_last(owner)[2])
    # Explicit implementations write the interface's dots as '#'.
    return member.rsplit("#", 1)[-1] if "#" in member else member


def type_name(identifier, names, keywords=True):
    if keywords and identifier in KEYWORDS:
        return KEYWORDS[identifier]
    if identifier.endswith("}"):
        return argument_name(identifier, names, [], [])
    own = names.of(identifier)
    short = ARITY.sub("", split_last(identifier)[2])
    return short + ("<" + ", ".join(own) + ">" if own else "")


def argument_name(text, names, owner_parameters, own_parameters):
    """A parameter's type: generic arguments in braces, `N and ``N for type parameters, suffixes for arrays and references."""
    text = text.strip()
    if text.endswith("@"):
        return "ref " + argument_name(text[:-1], names, owner_parameters, own_parameters)
    if text.endswith("*"):
        return argument_name(text[:-1], names, owner_parameters, own_parameters) + "*"
    if text.endswith("]"):
        start = text.rindex("[")
        return argument_name(text[:start], names, owner_parameters, own_parameters) + "[" + "," * text[start:].count(",") + "]"
    if text.startswith("`"):
        pool = own_parameters if text.startswith("``") else owner_parameters
        number = text.lstrip("`")
        return pool[int(number)] if number.isdigit() and int(number) < len(pool) else "T"
    if text.endswith("}"):
        start = text.index("{")
        inner = [argument_name(part, names, owner_parameters, own_parameters) for part in split_arguments(text[start + 1:-1])]
        head = split_last(text[:start])[2]
        if text[:start] == "System.Nullable":
            return inner[0] + "?"
        return f"{head}<{', '.join(inner)}>"
    return type_name(text, names)


def split_arguments(text):
    """Splits at commas outside braces and brackets."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character in "{[(") - (character in "}])")
        if character == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    if text[start:]:
        parts.append(text[start:])
    return parts
