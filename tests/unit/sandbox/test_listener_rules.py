"""Listener rules of the sandbox, and the weights by which they share out connections."""

from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox.listener_rules import ListenerRules, Turns
from tests.rig.fake_ministack import fake_elb

BASE = "Actions.member"


def forward(*groups: tuple[str, int]) -> dict[str, Any]:
    told = [{"TargetGroupArn": group, "Weight": weight} for group, weight in groups]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": told}}


def plain(group: str) -> dict[str, Any]:
    return {"Type": "forward", "TargetGroupArn": group}


def rule(priority: str, *actions: dict[str, Any], path: str = "/a", **more: Any) -> dict[str, Any]:
    conditions = [{"Field": "path-pattern", "Values": [path]}]
    return {"ListenerArn": "l", "Priority": priority, "Conditions": conditions, "Actions": list(actions), **more}


def rules(**known: Any) -> tuple[ListenerRules, SimpleNamespace]:
    elb = fake_elb()
    elb._listeners["l"] = {"ListenerArn": "l", "LoadBalancerArn": "b", "DefaultActions": [plain("default")]}
    elb._rules.update(known)
    return ListenerRules(elb), elb


ELSEWHERE = {**rule("1", plain("elsewhere"), path="/*"), "ListenerArn": "m"}
DEFAULT = rule("default", plain("default"), IsDefault=True)


@pytest.mark.parametrize(
    ("known", "groups"),
    [
        ({}, [("default", 1)]),
        ({"d": DEFAULT, "x": ELSEWHERE}, [("default", 1)]),
        ({"d": DEFAULT, "a": rule("2", plain("second")), "b": rule("1", plain("first"))}, [("first", 1)]),
        ({"a": rule("10", plain("tenth")), "b": rule("9", plain("ninth"))}, [("ninth", 1)]),
        ({"a": rule("1", plain("one")), "b": rule("2", plain("all"), path="/*")}, [("all", 1)]),
        ({"a": rule("1", plain("one")), "b": rule("2", plain("all"), path="*")}, [("all", 1)]),
        ({"a": rule("1", plain("one")), "b": rule("2", plain("all"), Conditions=None)}, [("all", 1)]),
        (
            {
                "a": rule("1", plain("header"), Conditions=[{"Field": "http-header", "Values": ["*"]}]),
                "b": rule("2", plain("all"), path="*"),
            },
            [("all", 1)],
        ),
        (
            {
                "a": rule("1", plain("none"), Conditions=[{"Field": "path-pattern", "Values": None}]),
                "b": rule("2", plain("all"), path="*"),
            },
            [("all", 1)],
        ),
        ({"a": rule("1", {"Type": "other"}, forward(("a", 90), ("b", 10)))}, [("a", 90), ("b", 10)]),
    ],
)
def test_where_a_listener_forwards_to(known: dict[str, Any], groups: list[tuple[str, int]]) -> None:
    found, _ = rules(**known)
    assert found.forwards("l") == groups
    assert found.forwards("none") == []


def test_the_weights_of_a_rule_are_read_and_written() -> None:
    found, elb = rules(r=rule("1", forward(("a", 100), ("b", 0)), plain("c")))
    assert found.weights("none") is None
    assert found.weights("r") == {"a": 100, "b": 0, "c": 1}
    elb._tgs.update({name: {"LoadBalancerArns": []} for name in ("a", "b", "c", "default")})
    found.write_weights("r", {"a": 0, "b": 100})
    assert elb._rules["r"]["Actions"] == [{**forward(("a", 0), ("b", 100)), "Order": 1}]
    assert found.weights("r") == {"a": 0, "b": 100}
    balancers = {name: group["LoadBalancerArns"] for name, group in elb._tgs.items()}
    assert balancers == {"a": ["b"], "b": ["b"], "c": [], "default": ["b"]}


def test_the_listeners_and_load_balancers_that_use_a_group() -> None:
    found, elb = rules(r=rule("1", forward(("a", 1))))
    elb._listeners["m"] = {"ListenerArn": "m", "LoadBalancerArn": "a", "DefaultActions": [forward(("a", 0))]}
    elb._listeners["n"] = {"ListenerArn": "n", "LoadBalancerArn": "a", "DefaultActions": [plain("a")]}
    elb._tgs.update({"a": {}, "unused": {}})
    assert [each["ListenerArn"] for each in found.listeners_to("a")] == ["l", "m", "n"]
    assert [each["ListenerArn"] for each in found.listeners_to("default")] == ["l"]
    assert found.listeners_to("unused") == []
    found.note_load_balancers()
    assert elb._tgs == {"a": {"LoadBalancerArns": ["a", "b"]}, "unused": {"LoadBalancerArns": []}}


def test_weights_that_ministack_forgets_are_kept_and_shown() -> None:
    found, elb = rules()
    parsed: list[tuple[Any, str]] = []

    def parse(params: Any, prefix: str) -> list[dict[str, Any]]:
        parsed.append((params, prefix))
        return [{"Type": "redirect"}, {"Type": "forward"}, {"Type": "forward", "TargetGroupArn": "c"}]

    elb._parse_actions = parse
    for name in ("CreateRule", "DeleteRule", "ModifyListener", "ModifyRule"):
        elb._ACTION_MAP[name] = lambda params: (200, {}, str(params).encode())
    found.install()
    groups = f"{BASE}.2.ForwardConfig.TargetGroups.member"
    params = {
        **{f"{groups}.1.TargetGroupArn": "a", f"{groups}.1.Weight": "90"},
        **{f"{groups}.2.TargetGroupArn": ["b"]},
        **{f"{groups}.3.TargetGroupArn": "d", f"{groups}.3.Weight": "0"},
        f"{BASE}.3.ForwardConfig.TargetGroups.member.1.TargetGroupArn": "c",
    }
    redirect, many, one = elb._parse_actions(params, "Actions")
    assert parsed == [(params, "Actions")]
    assert redirect == {"Type": "redirect"}
    assert many == forward(("a", 90), ("b", 1), ("d", 0))
    assert one == {**forward(("c", 1)), "TargetGroupArn": "c"}
    assert elb._parse_actions({})[0] == {"Type": "redirect"}
    assert parsed[-1] == ({}, "DefaultActions")
    single = {"DefaultActions.member.2.ForwardConfig.TargetGroups.member.1.TargetGroupArn": "e"}
    assert elb._parse_actions(single)[1] == {**forward(("e", 1)), "TargetGroupArn": "e"}
    assert elb._action_xml(redirect) == "<member><Type>redirect</Type></member>"
    member = "<member><TargetGroupArn>{}</TargetGroupArn><Weight>{}</Weight></member>"
    members = member.format("a", 90) + member.format("b", 1) + member.format("d", 0)
    shown = f"<ForwardConfig><TargetGroups>{members}</TargetGroups></ForwardConfig>"
    assert elb._action_xml(many) == f"<member><Type>forward</Type>{shown}</member>"
    for name in elb._ACTION_MAP:
        elb._tgs["default"] = {"LoadBalancerArns": ["old"]}
        assert elb._ACTION_MAP[name]({"A": 1}) == (200, {}, b"{'A': 1}")
        assert elb._tgs["default"] == {"LoadBalancerArns": ["b"]}


def test_connections_are_shared_out_evenly() -> None:
    turns = Turns()
    weights = [("a", 90), ("b", 10), ("c", 0)]
    drawn = [turns.next("l", weights) for _ in range(20)]
    assert [index for index, group in enumerate(drawn) if group == "b"] == [5, 15]
    assert set(drawn) == {"a", "b"}
    assert [turns.next("m", [("x", 1), ("y", 1)]) for _ in range(4)] == ["x", "y", "x", "y"]
    assert turns.next("m", [("x", 0)]) is None
    assert turns.next("m", []) is None
    assert [turns.next("m", iter([("y", 2), ("z", 1)])) for _ in range(3)] == ["y", "z", "y"]
