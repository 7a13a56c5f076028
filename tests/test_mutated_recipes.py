"""One hundred mutated recipes: the message holds the correction, and following the message to the letter runs."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from brainfm.grammar.known import recipes
from brainfm.grammar.nearest import RecipeError
from brainfm.recipe import Recipe
from data_loaders import samples
from data_loaders.prepare import prepare

Place = list[str | int]
NAMES = ("quickstart", "quickstart_meg")
DATA = "data.init_args"


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """The shipped recipes, in a folder where their stores are."""
    folder = tmp_path_factory.mktemp("mutated")
    found = {name: yaml.safe_load(recipes()[name].read_text()) for name in NAMES}
    # fewer windows than the recipe cuts, so that a hundred of them are read in a minute
    found["quickstart"]["data"]["init_args"]["windows"]["init_args"]["stride"] = 1.0
    for recipe in found.values():
        prepare(samples.path(recipe["prepare"]["source"]), folder / recipe["data"]["init_args"]["store"])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield found


def test_at_least_95_of_100_mutated_recipes_are_mended_by_their_message(originals: dict[str, dict[str, Any]]) -> None:
    mutants = [(name, what, mutant) for name, recipe in originals.items() for what, mutant in mutations(recipe)]
    assert len(mutants) == 100
    sound = {yaml.safe_dump(recipe) for recipe in originals.values()}
    assert [error_of(recipe) for recipe in originals.values()] == [None, None]
    unmended = []
    for name, what, mutant in mutants:
        message = error_of(mutant)
        repaired = mended(mutant, message) if message else None
        text = yaml.safe_dump(repaired)
        if repaired is None or (text not in sound and error_of(repaired) is not None):
            unmended.append(f"{name}, {what}: {message}")
        else:
            sound.add(text)
    print(f"{100 - len(unmended)} of 100 mended by their message; not:", *unmended, sep="\n  ")
    assert len(unmended) <= 5


def error_of(recipe: dict[str, Any]) -> str | None:
    """The message for a recipe, None where one batch of it runs. Anything but a message fails the test."""
    try:
        Recipe.of(copy.deepcopy(recipe)).rehearse()
    except RecipeError as error:
        return str(error)
    return None


def mutations(recipe: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Fifty ways to get a recipe wrong, the same at every call."""
    rng = random.Random(0)
    keys = rng.sample(list(_keys(recipe, [])), 16)
    paths = rng.sample([place for place in _values(recipe, []) if place[-1] == "class_path"], 6)
    found = [(f"misspelt key {_text(place)}", _renamed(recipe, place, _slip(str(place[-1]), rng))) for place in keys]
    found += [
        (f"misspelt class {_text(place)}", _set(recipe, place, _class_slip(recipe, place, rng))) for place in paths
    ]
    for what, change in (_WRONG | _RECIPE_WRONG[recipe["prepare"]["source"]]).items():
        mutant = copy.deepcopy(recipe)
        change(mutant)
        found.append((what, mutant))
    return found


def _inits(recipe: dict[str, Any]) -> dict[str, Any]:
    return recipe["data"]["init_args"]


_WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "text for a whole number": lambda r: _inits(r).update(batch_size="sixty"),
    "a quoted number": lambda r: _inits(r).update(batch_size="64"),
    "a fraction for a whole number": lambda r: r["trainer"].update(max_steps=100.5),
    "text for a number": lambda r: r["optimizer"]["init_args"].update(lr="fast"),
    "a number for text": lambda r: r["trainer"].update(precision=32),
    "one target without its list": lambda r: _inits(r).update(targets=_inits(r)["targets"][0]),
    "transforms without their list": lambda r: _inits(r).update(transforms=_inits(r)["transforms"][0]),
    "a split in a list": lambda r: _inits(r).update(split=[_inits(r)["split"]]),
    "evaluators without their list": lambda r: r.update(evaluators=r["evaluators"][0]),
    "no batch": lambda r: _inits(r).update(batch_size=0),
    "one fold": lambda r: _inits(r)["split"]["init_args"].update(n_folds=1),
    "a negative learning rate": lambda r: r["optimizer"]["init_args"].update(lr=-1.0),
    "negative decay": lambda r: r["optimizer"]["init_args"].update(weight_decay=-0.1),
    "no step": lambda r: r["trainer"].update(max_steps=0),
    "a negative seed": lambda r: r.update(seed=-1),
    "a misspelt store": lambda r: _inits(r).update(store=_inits(r)["store"][:-1]),
    "a misspelt target": lambda r: _inits(r).update(targets=[_inits(r)["targets"][0][:-1]]),
    "no objective": lambda r: r.pop("objective"),
    "no encoder": lambda r: r.pop("encoder"),
    "no optimizer": lambda r: (r.pop("optimizer"), r.pop("scheduler")),
    "no windows": lambda r: _inits(r).pop("windows"),
    "an argument at the top": lambda r: r.update(batch_size=_inits(r).pop("batch_size")),
    "an argument beside init_args": lambda r: r["optimizer"].update(lr=r["optimizer"]["init_args"].pop("lr")),
    "an argument of another part": lambda r: r["encoder"].setdefault("init_args", {}).update(max_steps=r["trainer"].pop("max_steps")),
    "a contradiction to the data": lambda r: r["encoder"].setdefault("init_args", {}).update(n_chans=3),
    "fields without a name": lambda r: _inits(r).update(fields=_inits(r)["fields"]["signal"]),
}  # fmt: skip
_RECIPE_WRONG: dict[str, dict[str, Callable[[dict[str, Any]], Any]]] = {
    "reaching": {
        "a stride of nothing": lambda r: _inits(r)["windows"]["init_args"].update(stride=0.0),
        "more dropout than there is": lambda r: r["encoder"]["init_args"].update(dropout=2.0),
    },
    "meg": {
        "a negative limit": lambda r: _inits(r)["transforms"][1]["init_args"].update(limit=-20.0),
        "a field that ends before it starts": lambda r: _inits(r)["fields"]["signal"].update(start=0.75, stop=0.0),
    },
}


def _keys(node: Any, place: Place) -> Iterator[Place]:
    """The place of every key, at every depth."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if isinstance(key, str) and len(key) > 2:
            yield [*place, key]
        yield from _keys(value, [*place, key])


def _values(node: Any, place: Place) -> Iterator[Place]:
    return (found for found in _keys(node, place) if not isinstance(_get(node, found), dict | list))


def _slip(word: str, rng: random.Random) -> str:
    """Two neighbouring letters swapped, or one left out."""
    at = rng.choice([i for i in range(1, len(word) - 1) if word[i] != word[i + 1]] or [1])
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return swapped if rng.random() < 0.5 else word[:at] + word[at + 1 :]


def _class_slip(recipe: dict[str, Any], place: Place, rng: random.Random) -> str:
    """A slip in the module or in the class."""
    module, _, name = _get(recipe, place).rpartition(".")
    return f"{module}.{_slip(name, rng)}" if rng.random() < 0.5 else f"{_slip(module, rng)}.{name}"


def mended(recipe: dict[str, Any], message: str) -> dict[str, Any] | None:
    """The recipe changed as the message says, by someone who knows nothing but the message."""
    for pattern, repair in _REPAIRS:
        match = re.search(pattern, message, re.DOTALL)
        if match:
            return repair(recipe, *match.groups())
    return None


def _renamed_as(recipe: dict[str, Any], place: str, name: str) -> dict[str, Any]:
    return _renamed(recipe, _parsed(place), name)


def _set_text(recipe: dict[str, Any], place: str, value: str) -> dict[str, Any]:
    return _set(recipe, _parsed(place), yaml.safe_load(value))


def _moved(recipe: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return _set(_without(recipe, _parsed(old)), _parsed(new), _get(recipe, _parsed(old)))


def _moved_in(recipe: dict[str, Any], place: str) -> dict[str, Any]:
    *above, key = _parsed(place)
    return _moved(recipe, place, _text([*above, "init_args", key]))


def _listed(recipe: dict[str, Any], place: str) -> dict[str, Any]:
    return _set(recipe, _parsed(place), [_get(recipe, _parsed(place))])


def _unlisted(recipe: dict[str, Any], place: str) -> dict[str, Any]:
    return _set(recipe, _parsed(place), _get(recipe, _parsed(place))[0])


def _left_out(recipe: dict[str, Any], place: str) -> dict[str, Any]:
    return _without(recipe, _parsed(place))


def _added(recipe: dict[str, Any], lines: str) -> dict[str, Any]:
    return {**copy.deepcopy(recipe), **yaml.safe_load(lines)}


def _completed(recipe: dict[str, Any], place: str, key: str, value: str) -> dict[str, Any]:
    return _set(recipe, [*_parsed(place), key], yaml.safe_load(value))


def _replaced(recipe: dict[str, Any], wrong: str, right: str) -> dict[str, Any]:
    return yaml.safe_load(yaml.safe_dump(recipe).replace(wrong, right))


def _swapped(recipe: dict[str, Any], place: str) -> dict[str, Any]:
    field = _get(recipe, _parsed(place)[:-1])
    return _set(recipe, _parsed(place)[:-1], {**field, "start": field["stop"], "stop": field["start"]})


def _signal(recipe: dict[str, Any]) -> dict[str, Any]:
    return _renamed(recipe, [*_parsed(DATA), "fields", next(iter(_inits(recipe)["fields"]))], "signal")


_REPAIRS: list[tuple[str, Callable[..., dict[str, Any]]]] = [
    (r"^(\S+) is not an argument of \S+: did you mean '(.+?)'\?", _renamed_as),
    (r"^(\S+) is not a key of [^:]+: did you mean '(.+?)'\?", _renamed_as),
    (r"^(\S+) is .+, which (?:does not exist|is no class): did you mean '(.+?)'\?", _set_text),
    (r"^(\S+) .+ move it there, as (\S+)$", _moved),
    (r"^(\S+) stands beside class_path.+ move it into init_args", _moved_in),
    (r"^(\S+) is .+: put it into a list", _listed),
    (r"^(\S+) is a list.+ without the dash", _unlisted),
    (r"^(\S+) is .+: write (\S+) without quotes", _set_text),
    (r"^(\S+) is .+: write it in quotes, ('.+')$", _set_text),
    (r"^(\S+) is .+, but .+: leave \w+ out", _left_out),
    (r"is missing.+add `(.+?)`", _added),
    (r"^(\S+) holds a Field without a name: write fields: (.+)$", _set_text),
    (r"^(\S+) lacks '(\w+)',.+: write .*(\{.+\}|\[.+\])", _completed),
    (r"^(\S+) lacks '(\w+)',.+for example (\S+)$", _completed),
    (r"^(\S+): a field runs .+ swap them", _swapped),
    (r"name one of data.init_args.fields 'signal'", _signal),
    (r"'(\S+)': did you mean '(\S+)'\?", _replaced),
    (r"^([^:\s]+):? .*?(?:for example|such as) (\S+?),?(?: \(the default\))?(?:;|$)", _set_text),
]


def _parsed(place: str) -> Place:
    return [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", place.rstrip(":"))]


def _text(place: Place) -> str:
    return ".".join(map(str, place))


def _get(node: Any, place: Place) -> Any:
    for key in place:
        node = node[key]
    return node


def _set(recipe: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    changed = node = copy.deepcopy(recipe)
    for key in place[:-1]:
        node = node.setdefault(key, {}) if isinstance(node, dict) else node[key]
    node[place[-1]] = value
    return changed


def _without(recipe: dict[str, Any], place: Place) -> dict[str, Any]:
    changed = copy.deepcopy(recipe)
    _get(changed, place[:-1]).pop(place[-1])
    return changed


def _renamed(recipe: dict[str, Any], place: Place, name: str) -> dict[str, Any]:
    """The key under another name, in its old place."""
    changed = copy.deepcopy(recipe)
    node = _get(changed, place[:-1])
    items = [(name if key == place[-1] else key, value) for key, value in node.items()]
    node.clear()
    node.update(items)
    return changed
