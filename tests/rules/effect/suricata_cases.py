"""Edits of Suricata rules."""

from __future__ import annotations

from pipelines.rules.change import Weakness
from tests.rules.effect.captures import http_request, tcp_capture, udp_capture
from tests.rules.effect.cases import Case, edited

WEB = (
    'alert http any any -> any any (msg:"evil page"; flow:established,to_server; '
    'http.uri; content:"/evil.php"; nocase; http.user_agent; content:"badbot"; '
    "reference:url,lab.example; classtype:trojan-activity; sid:1000001; rev:1;)\n"
)
RAW = (
    'drop tcp any any -> any 4444 (msg:"evil bytes"; flow:to_server; content:"|DE AD BE EF|"; '
    'depth:20; content:"key="; distance:0; within:30; dsize:>10; priority:1; sid:1000002; rev:3;)\n'
)
DNS = (
    'alert udp any any -> any 53 (msg:"evil name"; content:"evil"; nocase; '
    "threshold:type threshold, track by_src, count 1, seconds 60; sid:1000003; rev:2;)\n"
)
LOWER = (
    'alert http any any -> any any (msg:"evil path"; http.uri; to_lowercase; '
    'content:"/evil.php"; urilen:<40; sid:1000004; rev:1;)\n'
)
PASSING = 'pass http any any -> any any (http.uri; content:"/evil.php"; sid:1000009; rev:1;)\n'
PAGE = tcp_capture(http_request())
SHOUTED = tcp_capture(http_request("/EVIL.php"))
BYTES = tcp_capture(b"0123456789\xde\xad\xbe\xef012345678key=1", port=4444)
NAME = udp_capture(b"\x01\x00\x00\x01EVIL.example")
W = Weakness


def _case(
    name: str,
    text: str,
    sample: bytes,
    *edits: tuple[str, str],
    weakness: Weakness | str | None = None,
) -> Case:
    new = {"local.rules": edited(text, *edits)}
    return Case(name=name, old={"local.rules": text}, new=new, sample=sample, weakness=weakness)


WEAKENED = (
    _case("nocase dropped", WEB, SHOUTED, (" nocase;", ""), weakness=W.MODIFIER_DROPPED),
    _case("a longer content", WEB, PAGE, ('"badbot"', '"badbot/2"'), weakness=W.PATTERN_DROPPED),
    _case("one more content", WEB, PAGE, ('"badbot";', '"badbot"; content:"linux";'),
          weakness=W.CONDITION_NARROWER),
    _case("an exclusion", WEB, PAGE, ('"badbot";', '"badbot"; content:!"1.0";'),
          weakness=W.EXCLUSION_ADDED),
    _case("alert became pass", WEB, PAGE, ("alert http", "pass http"),
          weakness=W.ACTION_LOWERED),
    _case("not reported", WEB, PAGE, ("sid:", "noalert; sid:"), weakness=W.MADE_PRIVATE),
    _case("the other direction", RAW, BYTES, ("to_server", "to_client"),
          weakness=W.CONDITION_NARROWER),
    _case("a source demanded", WEB, PAGE, ("http any", "http 192.0.2.0/24"),
          weakness=W.SCOPE_NARROWER),
    _case("a flag demanded", WEB, PAGE, ("sid:", "flowbits:isset,never; sid:"),
          weakness=W.CONDITION_NARROWER),
    _case("at the begin alone", WEB, tcp_capture(http_request("/a/evil.php")),
          ("nocase;", "nocase; startswith;"), weakness=W.BOUND_MOVED),
    _case("at the end alone", WEB, tcp_capture(http_request("/evil.php?x=1")),
          ("nocase;", "nocase; endswith;"), weakness=W.MODIFIER_DROPPED),
    _case("length of the address", WEB, PAGE, ("nocase;", "nocase; bsize:>50;"),
          weakness=W.BOUND_MOVED),
    _case("another buffer", WEB, PAGE, ("http.user_agent", "http.referer"),
          weakness=W.PATTERN_DROPPED),
    _case("commented out", WEB, PAGE, ("alert http", "# alert http"), weakness="disabled"),
    _case("gone", WEB + RAW, PAGE, (WEB, ""), weakness="disabled"),
    _case("another rule lets it pass", WEB, PAGE,
          ("alert http", f"{PASSING}alert http"), weakness=W.DISABLES_OTHERS),
    _case("depth lowered", RAW, BYTES, ("depth:20", "depth:8"), weakness=W.BOUND_MOVED),
    _case("within lowered", RAW, BYTES, ("within:30", "within:5"), weakness=W.BOUND_MOVED),
    _case("distance raised", RAW, BYTES, ("distance:0; within:30", "distance:20"),
          weakness=W.BOUND_MOVED),
    _case("offset raised", RAW, BYTES, ("depth:20", "offset:12; depth:8"),
          weakness=W.BOUND_MOVED),
    _case("drop became alert", RAW, BYTES, ("drop tcp", "alert tcp"), weakness=W.ACTION_LOWERED),
    _case("drop became pass", RAW, BYTES, ("drop tcp", "pass tcp"), weakness=W.ACTION_LOWERED),
    _case("size raised", RAW, BYTES, ("dsize:>10", "dsize:>500"), weakness=W.BOUND_MOVED),
    _case("another port", RAW, BYTES, ("any 4444", "any 4445"), weakness=W.SCOPE_NARROWER),
    _case("another protocol", RAW, BYTES, ("drop tcp", "drop udp"), weakness=W.SCOPE_NARROWER),
    _case("one byte changed", RAW, BYTES, ("BE EF", "BE EE"), weakness=W.PATTERN_DROPPED),
    _case("threshold raised", DNS, NAME, ("count 1,", "count 5,"), weakness=W.THRESHOLD_RAISED),
    _case("nocase of a name", DNS, NAME, (" nocase;", ""), weakness=W.MODIFIER_DROPPED),
    _case("transformation dropped", LOWER, SHOUTED, (" to_lowercase;", ""),
          weakness=W.TRANSFORMATION_DROPPED),
    _case("length lowered", LOWER, PAGE, ("urilen:<40", "urilen:<4"), weakness=W.BOUND_MOVED),
)  # fmt: skip

HARMLESS = (
    _case("message", WEB, PAGE, ("evil page", "an evil page"), ("rev:1", "rev:2")),
    _case("reference", WEB, PAGE, ("url,lab.example", "url,other.example")),
    _case("metadata", WEB, PAGE, ("sid:", "metadata:created_at 2026_11_28; sid:")),
    _case("a comment", WEB, PAGE, ("alert http", "# for the lab\nalert http")),
    _case("blanks", WEB, PAGE, ("; ", ";  ")),
    _case("options in another order", WEB, PAGE,
          (" sid:1000001; rev:1;", ""), ('"evil page"; ', '"evil page"; sid:1000001; rev:1; ')),
    _case("bytes in hex", WEB, PAGE, ("/evil.php", "|2F|evil|2e|php")),
    _case("a hint for the engine", WEB, PAGE, ("nocase;", "nocase; fast_pattern;")),
    _case("a shorter content", WEB, PAGE, ('"badbot"', '"bad"')),
    _case("one content less", WEB, PAGE, (' content:"badbot";', ' content:"bot";')),
    _case("any state of the flow", WEB, PAGE, ("established,to_server", "to_server")),
    _case("the flow in another order", WEB, PAGE,
          ("established,to_server", "to_server,established")),
    _case("another rule", WEB, PAGE, ("alert http", f"{DNS}alert http")),
    _case("depth raised", RAW, BYTES, ("depth:20", "depth:40")),
    _case("within raised", RAW, BYTES, ("within:30", "within:60")),
    _case("size lowered", RAW, BYTES, ("dsize:>10", "dsize:>5")),
    _case("all ports", RAW, BYTES, ("any 4444", "any any")),
    _case("more ports", RAW, BYTES, ("any 4444", "any [4444,5555]")),
    _case("reject in place of drop", RAW, BYTES, ("drop tcp", "reject tcp")),
    _case("no threshold", DNS, NAME,
          ("threshold:type threshold, track by_src, count 1, seconds 60; ", "")),
    _case("longer addresses too", LOWER, PAGE, ("urilen:<40", "urilen:<400")),
    _case("rules in another order", WEB + DNS, NAME, (WEB + DNS, DNS + WEB)),
)  # fmt: skip
