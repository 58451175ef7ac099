"""Edits of ModSecurity rules."""

from __future__ import annotations

from pipelines.rules.change import Weakness
from tests.rules.effect.captures import http_request
from tests.rules.effect.cases import Case, edited

SETUP = "SecRuleEngine On\nSecRequestBodyAccess On\n"
SQL = (
    'SecRule ARGS|REQUEST_HEADERS:User-Agent "@rx (?i)(?:union select|sleep\\(|benchmark\\()" \\\n'
    "    \"id:1001,phase:2,deny,status:403,log,msg:'sql',t:none,t:urlDecodeUni,"
    "t:compressWhitespace,severity:'CRITICAL',tag:'attack-sqli',rev:'1'\"\n"
)
TOOLS = (
    'SecRule ARGS|REQUEST_URI "@pm wget curl" '
    "\"id:1002,phase:2,deny,log,msg:'tools',t:none,severity:'ERROR'\"\n"
)
MANY = 'SecRule &ARGS "@gt 3" "id:1003,phase:2,deny,log,msg:\'too many\',t:none"\n'
ADMIN = (
    'SecRule REQUEST_URI "@contains /admin" "id:1004,phase:1,deny,log,chain,t:none,t:lowercase"\n'
    '    SecRule REQUEST_METHOD "@rx ^(?:POST|PUT)$" "t:none"\n'
)
SCORE = (
    'SecRule ARGS "@contains evil" "id:1005,phase:2,pass,nolog,t:none,'
    "setvar:'tx.anomaly_score=+5'\"\n"
    'SecRule TX:ANOMALY_SCORE "@ge 5" "id:1006,phase:2,deny,log,t:none,msg:\'score\'"\n'
)
RULES = SETUP + SQL + TOOLS + MANY + ADMIN + SCORE
UNION = http_request("/?q=UNION%20%20select")
PLAIN = http_request("/?q=sleep(1)")
AGENT = http_request("/", agent="sleep(1)")
WGET = http_request("/?q=wget")
MANY_ARGS = http_request("/?a=1&b=1&c=1&d=1&e=1")
POST = http_request("/Admin/x", method="POST", body="a=b")
EVIL = http_request("/?q=evil")
W = Weakness


def _case(
    name: str, sample: bytes, *edits: tuple[str, str], weakness: Weakness | str | None = None
) -> Case:
    new = {"rules.conf": edited(RULES, *edits)}
    return Case(name=name, old={"rules.conf": RULES}, new=new, sample=sample, weakness=weakness)


def _adding(name: str, sample: bytes, line: str, weakness: Weakness | str | None = None) -> Case:
    new = {"rules.conf": RULES, "zz-local.conf": f"{line}\n"}
    return Case(name=name, old={"rules.conf": RULES}, new=new, sample=sample, weakness=weakness)


def _before(name: str, sample: bytes, line: str, weakness: Weakness | str | None = None) -> Case:
    return _case(name, sample, (SETUP, f"{SETUP}{line}\n"), weakness=weakness)


WEAKENED = (
    _case("deny became pass", PLAIN, ("phase:2,deny,status:403", "phase:2,pass"),
          weakness=W.ACTION_LOWERED),
    _case("detection only", PLAIN, ("Engine On", "Engine DetectionOnly"),
          weakness=W.ACTION_LOWERED),
    _case("the engine off", PLAIN, ("Engine On", "Engine Off"), weakness=W.ACTION_LOWERED),
    _case("a variable dropped", AGENT, ("|REQUEST_HEADERS:User-Agent", ""),
          weakness=W.SCOPE_NARROWER),
    _case("one argument alone", PLAIN, ("ARGS|REQUEST_HEADERS", "ARGS:id|REQUEST_HEADERS"),
          weakness=W.SCOPE_NARROWER),
    _case("an argument excluded", PLAIN, ("ARGS|REQUEST_HEADERS", "ARGS|!ARGS:q|REQUEST_HEADERS"),
          weakness=W.EXCLUSION_ADDED),
    _case("blanks not compressed", UNION, (",t:compressWhitespace", ""),
          weakness=W.TRANSFORMATION_DROPPED),
    _case("not in lower case", POST, (",t:lowercase", ""), weakness=W.TRANSFORMATION_DROPPED),
    _case("an alternative dropped", PLAIN, ("|sleep\\(", ""), weakness=W.PATTERN_DROPPED),
    _case("case of an expression", UNION, ("(?i)", ""), weakness=W.PATTERN_DROPPED),
    _case("a word dropped", WGET, ("@pm wget curl", "@pm curl"), weakness=W.PATTERN_DROPPED),
    _case("a number raised", MANY_ARGS, ("@gt 3", "@gt 30"), weakness=W.THRESHOLD_RAISED),
    _case("a method dropped", POST, ("POST|PUT", "PUT|PUT"), weakness=W.PATTERN_DROPPED),
    _case("equal in place of contains", POST, ("@contains /admin", "@streq /admin"),
          weakness=W.PATTERN_DROPPED),
    _case("a longer text", EVIL, ("@contains evil", "@contains evil-one"),
          weakness=W.PATTERN_DROPPED),
    _case("one more link", WGET, ("'tools',t:none", "'tools',t:none,chain"),
          ("'ERROR'\"\n", "'ERROR'\"\n    SecRule REQUEST_METHOD \"@streq POST\" \"t:none\"\n"),
          weakness=W.CONDITION_NARROWER),
    _case("a score lowered", EVIL, ("=+5", "=+2"), weakness=W.SEVERITY_LOWERED),
    _case("a score dropped", EVIL, (",setvar:'tx.anomaly_score=+5'", ""),
          weakness=W.SEVERITY_LOWERED),
    _case("a limit raised", EVIL, ("@ge 5", "@ge 50"), weakness=W.THRESHOLD_RAISED),
    _case("commented out", WGET, ("SecRule ARGS|REQUEST_URI", "#SecRule ARGS|REQUEST_URI"),
          weakness="disabled"),
    _case("gone", WGET, (TOOLS, ""), weakness="disabled"),
    _case("matches nothing", WGET, ("@pm wget curl", "@noMatch"), weakness=W.NEVER_TRUE),
    _case("when it is too late", PLAIN, ("phase:2,deny,status:403", "phase:5,deny,status:403"),
          weakness=W.ACTION_LOWERED),
    _adding("removed by id", PLAIN, "SecRuleRemoveById 1001", W.DISABLES_OTHERS),
    _adding("removed by a range of ids", PLAIN, "SecRuleRemoveById 1000-1010", W.DISABLES_OTHERS),
    _adding("removed by tag", PLAIN, "SecRuleRemoveByTag attack-sqli", W.DISABLES_OTHERS),
    _adding("a target taken away", PLAIN, 'SecRuleUpdateTargetById 1001 "!ARGS:q"',
            W.EXCLUSION_ADDED),
    _before("turned off by another rule", PLAIN,
            'SecRule ARGS:q "@rx ." "id:900,phase:1,pass,nolog,t:none,ctl:ruleRemoveById=1001"',
            W.DISABLES_OTHERS),
    _before("the engine turned off by a rule", PLAIN,
            'SecAction "id:900,phase:1,pass,nolog,ctl:ruleEngine=Off"', W.DISABLES_OTHERS),
    _before("another rule allows it", PLAIN,
            'SecRule ARGS:q "@rx ." "id:900,phase:1,allow,nolog,t:none"', W.DISABLES_OTHERS),
    _before("another rule skips it", PLAIN,
            'SecAction "id:900,phase:2,pass,nolog,skipAfter:END"', W.DISABLES_OTHERS),
)  # fmt: skip

HARMLESS = (
    _case("a comment", PLAIN, (SETUP, f"# the lab's rules\n{SETUP}")),
    _case("message", PLAIN, ("msg:'sql'", "msg:'an injection'")),
    _case("revision", PLAIN, ("rev:'1'", "rev:'2'")),
    _case("layout", PLAIN, (" \\\n    ", " ")),
    _case("one more variable", PLAIN, ("ARGS|REQUEST_HEADERS", "ARGS|ARGS_NAMES|REQUEST_HEADERS")),
    _case("variables in another order", PLAIN,
          ("ARGS|REQUEST_HEADERS:User-Agent", "REQUEST_HEADERS:User-Agent|ARGS")),
    _case("all headers", AGENT, ("REQUEST_HEADERS:User-Agent", "REQUEST_HEADERS")),
    _case("one more alternative", PLAIN, ("|sleep\\(", "|sleep\\(|waitfor")),
    _case("one more word", WGET, ("@pm wget curl", "@pm wget curl nc")),
    _case("words in another order", WGET, ("@pm wget curl", "@pm curl wget")),
    _case("a number lowered", MANY_ARGS, ("@gt 3", "@gt 2")),
    _case("the same number", MANY_ARGS, ("@gt 3", "@ge 4")),
    _case("a shorter text", EVIL, ("@contains evil", "@contains evi")),
    _case("a higher score", EVIL, ("=+5", "=+10")),
    _case("a lower limit", EVIL, ("@ge 5", "@ge 4")),
    _case("one link less", POST, ("phase:1,deny,log,chain", "phase:1,deny,log"),
          ('    SecRule REQUEST_METHOD "@rx ^(?:POST|PUT)$" "t:none"\n', "")),
    _case("contains in place of equal", POST, ("@contains /admin", "@contains /adm")),
    _case("names in another case", WGET, ("SecRule ARGS|REQUEST_URI", "secrule args|request_uri")),
    _case("severity raised", WGET, ("'ERROR'", "'CRITICAL'")),
    _adding("one more rule", WGET, 'SecRule ARGS "@contains x" "id:1010,phase:2,deny,log"'),
)  # fmt: skip
