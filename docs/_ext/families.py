"""A directive that lists what there is to compose, from the sources, so that no page can fall behind them."""

from docutils import nodes
from docutils.parsers.rst import Directive

from brainfm.grammar.known import leaves
from brainfm.verbs.ls import FAMILIES, listed


class Family(Directive):
    """`family` with a name as `brainfm ls` knows it: encoders, splits, transforms, ...; or recipes, studies."""

    required_arguments = 1

    def run(self):
        kind = self.arguments[0]
        rows = [(leaf.path, leaf.summary) for leaf in leaves(FAMILIES[kind])] if kind in FAMILIES else listed(kind)
        return [nodes.definition_list("", *(self._item(*row) for row in rows))]

    def _item(self, path, summary):
        parsed, messages = self.state.inline_text(summary.replace("`", "``"), self.lineno)
        term = nodes.term("", "", nodes.literal(text=path))
        return nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph("", "", *parsed, *messages)))


def setup(app):
    app.add_directive("family", Family)
    return {"version": "1", "parallel_read_safe": True}
