import copy
import json
import re
import tomllib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from gateway import config, configured, extensions
from gateway.config import ConfigurationFaulty, Settings

SAMPLE = Path(__file__).parent.parent / "deploy" / "stethos.toml"
LINKS = {name: module.Settings for name, module in extensions.link_modules().items()}
OUTPUTS = {name: module.Settings for name, module in extensions.output_modules().items()}
ALL_OF_IT = re.sub(r"^#(?=[a-z\[])", "", SAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def dump(table: Any) -> str:
    """TOML of plain tables, lists and scalars; JSON's scalars are TOML's."""
    lines = []

    def value(item: Any) -> str:
        if isinstance(item, dict):
            return "{ " + ", ".join(f"{json.dumps(k)} = {value(v)}" for k, v in item.items()) + " }"
        if isinstance(item, list):
            return "[" + ", ".join(map(value, item)) + "]"
        return json.dumps(item)

    for key, item in table.items():
        lines.append(f"{json.dumps(key)} = {value(item)}")
    return "\n".join(lines)


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def loads(text: str) -> Settings:
        file = tmp_path / "stethos.toml"
        file.write_text(text, encoding="utf-8")
        return config.load(file, LINKS, OUTPUTS)

    return loads


def faults(load: Any, text: str) -> dict[str, str]:
    with pytest.raises(ConfigurationFaulty) as caught:
        load(text)
    return {fault.path: fault.message for fault in caught.value.faults}


def changed(*changes: tuple[str, str]) -> str:
    text = SAMPLE.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def tables(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    """Every table of the settings with its path; lists of tables and alternatives without an index."""
    yield path, model
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            yield from tables(inner, (*path, name))


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for inner in typing.get_args(annotation):
        yield from models_in(inner)


def at(data: Any, path: tuple[str, ...], kind: Any = None) -> list[dict[str, Any]]:
    """The tables of a parsed file at a path; of links only those of one type."""
    found = [data]
    for part in path:
        inner = [table[part] for table in found if part in table]
        found = [t for item in inner for t in (item if isinstance(item, list) else [item])]
    return [table for table in found if kind is None or table.get("type") == kind]


def test_the_sample_is_valid_as_it_stands_and_with_everything_that_it_shows(load: Any) -> None:
    assert len(load(SAMPLE.read_text(encoding="utf-8")).link) == 1
    whole = load(ALL_OF_IT)
    assert [link.type for link in whole.link] == ["udp", "mqtt", "serial"]


def test_every_key_of_every_table_is_in_the_sample_with_its_default(load: Any) -> None:
    data = tomllib.loads(ALL_OF_IT)
    model = config._model(LINKS, OUTPUTS)
    examples = {"model", "k", "window_s", "quiet_s", "bundles", "tls", "ca_file", "cert_file", "key_file", "user"}
    examples |= {"password_file", "fleet"}
    seen = 0
    for path, table in tables(model):
        kind = typing.get_args(table.model_fields["type"].annotation)[0] if "type" in table.model_fields else None
        shown = at(data, ("alarm", "anomaly") if "alarm" in path and path[-1] != "alarm" else path, kind)
        for name, field in table.model_fields.items():
            holders = [t for t in shown if name in t]
            if path == ("asset", "alarm") and name != "anomaly":
                continue
            assert holders, f"{'.'.join(path)}.{name} is not in the sample"
            seen += 1
            own = path == ("asset", "learning")  # what an asset does not say itself is none
            if not (field.is_required() or list(models_in(field.annotation)) or name in examples or own):
                default = json.loads(table.model_construct().model_dump_json(include={name}))[name]
                if (path, name) != (("gateway",), "state_dir") or default == "/var/lib/stethos":
                    assert holders[0][name] == default, f"{'.'.join(path)}.{name}"
    assert seen > 90


def test_the_sample_shows_the_words_of_the_gateways_own_alarms(load: Any) -> None:
    shown, default = load(ALL_OF_IT).alarm, load(SAMPLE.read_text(encoding="utf-8")).alarm
    assert (shown.journal_space, shown.output_behind) == (default.journal_space, default.output_behind)


def test_the_gateways_own_alarms_name_no_asset(load: Any) -> None:
    text = (
        "[alarm.journal_space]\n"
        + 'cause = "{asset}"\nconsequence = "c"\naction = "a"\npriority = "low"\nresponse_s = 1\n'
    )
    found = faults(load, SAMPLE.read_text(encoding="utf-8") + text)
    assert list(found) == ["alarm.journal_space.cause"]


def test_all_faults_are_reported_at_once_each_with_path_and_nearest_key(load: Any) -> None:
    found = faults(
        load,
        changed(
            ('site = "example-works"', 'sight = "example-works"'),
            ("#window_s = 60", 'window_s = "60"'),
            ('action = "Check battery', 'actoin = "Check battery'),
            ('line = "line-1"', 'line = "Line 1"'),
            ("#bind =", "bnd ="),
            ("#deadline_s = 5", "deadlines_s = 5"),
            ("#endpoint =", "end_point ="),
            ("[output.modbus]", "[output.modbuss]"),
            ("#lost_after = 4", "lost_after = 2"),
        )
        + "\n[jornal]\n",
    )
    assert found["gateway.site"] == "is missing"
    assert found["gateway.sight"] == "unknown key; did you mean 'site'?"
    assert "valid number" in found["rule.window_s"] and "not '60'" in found["rule.window_s"]
    assert found["alarm.node_lost.actoin"] == "unknown key; did you mean 'action'?"
    assert found["alarm.node_lost.action"] == "is missing"
    assert "not 'Line 1'" in found["asset[0].line"]
    assert found["link[0].bnd"] == "unknown key; did you mean 'bind'?"
    assert found["rescoring.deadlines_s"] == "unknown key; did you mean 'deadline_s'?"
    assert found["output.opcua.end_point"] == "unknown key; did you mean 'endpoint'?"
    assert found["output.modbuss"] == "unknown key; did you mean 'modbus'?"
    assert found["jornal"] == "unknown key; did you mean 'journal'?"
    assert found["liveness"] == "late_after, stale_after and lost_after must rise"
    assert len(found) == 12, sorted(found)


def test_contradictions_between_tables_are_reported_beside_faults_within_them(load: Any) -> None:
    text = changed(
        ("#log = ", "lgo = "),
        ("#k = 2                              # where", "k = 4 #"),
        ("#feeds = []", 'feeds = ["pump-2", "pump-1", "x"]'),
    )
    text += (
        '\n[[asset]]\nname = "pump-1"\narea = "a"\nline = "l"\nnodes = ["n", "pump-1-inlet"]\nmodel = { m = "b" }\n'
        '[[asset]]\nname = "pump-3"\narea = "a"\nline = "l"\nnodes = ["only"]\n'
        '[[link]]\ntype = "udp"\nname = "wifi"\n'
    )  # fmt: skip
    with pytest.raises(ConfigurationFaulty) as caught:
        load(text)
    assert {str(fault) for fault in caught.value.faults} == {
        "gateway.lgo: unknown key; did you mean 'log'?",
        "asset[0].k: 4 of 3 nodes can never be reached",
        "asset[0].feeds: no asset 'pump-2'; did you mean 'pump-3'?",
        "asset[0].feeds: an asset does not feed itself",
        "asset[0].feeds: no asset 'x'; known here: pump-1, pump-1, pump-3",
        "asset[1].name: asset 'pump-1' is already there",
        "asset[1].nodes: node 'pump-1-inlet' belongs to asset 'pump-1' already",
        "asset[1].model: names a bundle, but rescoring.bundles names no folder",
        "asset[1].model.m: no node of this asset; known here: n, pump-1-inlet",
        "asset[2].k: 2 of 1 nodes can never be reached",
        "link[1].name: link 'wifi' is already there",
    }


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ('type = "udp"', 'type = "upd"', "link[0].type", "there is no 'upd'; did you mean 'udp'?"),
        ('type = "udp"\n', "", "link[0].type", "is missing"),
        ('type = "udp"', "type = 7", "link[0].type", "there is no '7'"),
        ("{asset} cav", "{motor} cav", "asset[0].alarm.anomaly.cause", "{motor} stands for nothing"),
        ('"127.0.0.1:9464"', '"9464"', "gateway.metrics", 'write it as "host:port"'),
        ("tls = true", "tls = 1", "link[1].tls", "valid boolean"),
        ("k = 2 ", "k = 2.0 ", "rule.k", "valid integer"),
        ("within_s = 120", "within_s = nan", "correlation.within_s", "not nan"),
        ('model = ""', "model = 3", "asset[0].model", "valid string"),
        ('priority = "critical"', 'priority = "urgent"', "asset[0].alarm.anomaly.priority", "'low', 'medium'"),
    ],
)  # fmt: skip
def test_a_fault_has_the_path_of_the_file(load: Any, old: str, new: str, path: str, message: str) -> None:
    assert old in ALL_OF_IT
    assert message in faults(load, ALL_OF_IT.replace(old, new, 1))[path]


@pytest.mark.parametrize(("model", "said"), [('""', "not 0"), ('{ pump-1-inlet = "learner" }', "not 1")])
def test_only_nodes_that_learn_can_be_judged_together(load: Any, model: str, said: str) -> None:
    fused = ("#fused = false", "fused = true")
    told = faults(load, changed(fused, ('#model = ""', f"model = {model} #")))["asset[0].fused"]
    assert told == f'2 to 6 nodes with model "learner" can be judged together, {said}'
    settings = load(
        changed(fused, ('#model = ""', 'model = { pump-1-inlet = "learner", pump-1-bearing = "learner" } #'))
    )
    assert settings.fused() == {"pump-1": ["pump-1-inlet", "pump-1-bearing"]}
    assert configured.learning(settings).fused == settings.fused()


LEARNS = ('#model = ""', 'model = { pump-1-inlet = "learner", pump-1-bearing = "learner" } #')


def with_context(context: str, *changes: tuple[str, str]) -> str:
    return changed(LEARNS, ("#context = []", f"context = {context} #"), *changes)


def test_a_node_or_all_of_an_asset_may_have_a_context_which_is_never_the_node_itself(load: Any) -> None:
    settings = load(with_context('["pump-1-bearing/1", "pump-1-outlet/2", "time of day"]'))
    own = configured.learning(settings).own
    assert own["pump-1-inlet"].context == ("pump-1-bearing/1", "pump-1-outlet/2", "time of day")
    assert own["pump-1-bearing"].context == ("pump-1-outlet/2", "time of day")
    assert settings.read() == {"pump-1-bearing", "pump-1-outlet"}
    settings = load(with_context('{ pump-1-inlet = ["pump-1-outlet/1"] }'))
    assert [how.context for how in configured.learning(settings).own.values()] == [("pump-1-outlet/1",), ()]
    assert 'asset.context = {"pump-1-inlet": ["pump-1-outlet/1"]}' in configured.described(settings, {})


@pytest.mark.parametrize(
    ("context", "path", "said"),
    [
        ('["pump-1-outlt/1"]', "", "no node 'pump-1-outlt'; did you mean 'pump-1-outlet'?"),
        ('{ pump-1-inlet = ["pump-1-inlet/1"] }', ".pump-1-inlet", "a node is no context of itself"),
        ('{ pump-1-outlet = ["pump-1-inlet/1"] }', ".pump-1-outlet", 'has no model "learner"'),
        ('{ pump-2 = ["pump-1-inlet/1"] }', ".pump-2", "no node of this asset; did you mean 'pump-1-inlet'?"),
        ('["pump-1-outlet/1", "pump-1-outlet/1"]', "", "'pump-1-outlet/1' is there twice"),
        ('["speed"]', "[0]", 'write it as "time of day", or as "node/1"'),
        ('["pump-1-outlet/0"]', "[0]", "the number being that of its channel"),
    ],
)
def test_a_context_that_nobody_can_tell_is_named(load: Any, context: str, path: str, said: str) -> None:
    assert said in faults(load, with_context(context))[f"asset[0].context{path}"]


def test_what_does_not_go_with_a_context_is_named(load: Any) -> None:
    context = '["pump-1-outlet/1"]'
    fused = with_context(context, ("#fused = false", "fused = true"))
    assert "have no context" in faults(load, fused)["asset[0].context"]
    fleet = with_context(
        context,
        ("#[asset.learning]", "[asset.learning]"),
        ('\n#fleet = "/etc/stethos/pumps', '\nfleet = "/etc/stethos/pumps'),
    )
    assert faults(load, fleet)["asset[0].learning.fleet"] == "a fleet knows nothing of an asset's context"
    bundle = with_context(context, ('pump-1-bearing = "learner"', 'pump-1-outlet = "big"'), ("#bundles =", "bundles ="))
    assert faults(load, bundle)["asset[0].context"] == "the windows of pump-1-outlet go to the bundle 'big'"
    nobody = changed(("#context = []", f"context = {context} #"))
    assert faults(load, nobody)["asset[0].context"] == 'is for nodes with model "learner"'


def test_an_asset_may_be_learned_otherwise_and_what_is_no_fleet_is_named(tmp_path: Path) -> None:
    file = tmp_path / "stethos.toml"
    own = ("#[asset.learning]", '[asset.learning]\nwindows = 99\nfleet = "pumps.fleet"\n#')
    file.write_text(changed(LEARNS, own, ("/var/lib/stethos", str(tmp_path / "state"))), encoding="utf-8")
    settings = configured.load_settings(file)
    how = configured.learning(settings).of("pump-1-inlet")
    assert (how.windows, how.false_alarms_a_week, how.fleet) == (99, 1, b"")
    (fault,) = configured._fleet_faults(settings)
    assert str(fault) == f"asset[0].learning.fleet: {tmp_path / 'pumps.fleet'}: No such file or directory"
    (tmp_path / "pumps.fleet").write_bytes(b"none")
    assert [fault.path for fault in configured._fleet_faults(settings)] == ["asset[0].learning.fleet"]
    assert configured.learning(settings).of("pump-1-inlet").fleet == b"none"


def test_what_is_no_toml_is_one_fault_with_its_line(load: Any, tmp_path: Path) -> None:
    assert "line 2" in faults(load, "[gateway]\nsite = \n")[""]
    with pytest.raises(ConfigurationFaulty, match="No such file"):
        config.load(tmp_path / "absent.toml", LINKS, OUTPUTS)
    (tmp_path / "latin.toml").write_bytes(b'site = "\xe4"')
    with pytest.raises(ConfigurationFaulty, match="utf-8"):
        config.load(tmp_path / "latin.toml", LINKS, OUTPUTS)


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


WHOLE = tomllib.loads(ALL_OF_IT)
PLACES = list(places(WHOLE))
SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12), st.just([]), st.just({}), st.just([{}]),
    st.just({"type": "udp"}), st.just([["a"]]), st.just("{"), st.just("{node}"),
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(["delete", "rename", "replace", "copy"]), SCALARS),
        min_size=1, max_size=3,
    ),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=8),
)  # fmt: skip
def test_no_file_makes_anything_but_settings_or_faults(load: Any, changes: Any, name: str) -> None:
    data = copy.deepcopy(WHOLE)
    for path, what, scalar in changes:
        here: Any = data
        try:
            for part in path[:-1]:
                here = here[part]
            match what:
                case "delete":
                    del here[path[-1]]
                case "rename" if isinstance(here, dict):
                    here[name] = here.pop(path[-1])
                case "replace":
                    here[path[-1]] = copy.deepcopy(scalar)
                case "copy" if isinstance(here, list):
                    here.append(copy.deepcopy(here[path[-1]]))
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # an earlier change took it away
    try:
        assert isinstance(load(dump(data)), Settings)
    except ConfigurationFaulty as faulty:
        assert faulty.faults and all(fault.message for fault in faulty.faults)
