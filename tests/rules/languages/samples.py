"""One sound file of each language of rules; the fuzzer begins with them."""

from __future__ import annotations

from tests.rules.test_semgrep import RULES as SEMGREP
from tests.rules.test_yara import RULE as YARA

SURICATA_HEAD = "alert http $HOME_NET any -> $EXTERNAL_NET any"
SURICATA = (
    SURICATA_HEAD
    + ' (msg:"a login"; flow:established,to_server; http.method; content:"POST"; http.uri;'
    ' content:"/lo|67|in"; nocase; depth:10; pcre:"/user=\\w+/Ri"; urilen:>100; bsize:10<>20;'
    " threshold:type limit, track by_src, count 1, seconds 60; classtype:web-application-attack;"
    " priority:2; reference:url,example.org; metadata:created_at 2024_01_01, tag x; sid:7; rev:3;)"
)

SNORT_HEAD = "alert tcp $EXTERNAL_NET any -> $HOME_NET 80"
SNORT = (
    SNORT_HEAD + ' ( msg:"semi;colon (in quotes)"; flow:to_server,established; http_uri;'
    ' content:"/x;y",fast_pattern,nocase; http_header: field user-agent; content:"b",depth 3;'
    " metadata:policy balanced-ips drop,policy max-detect-ips drop; service:http; sid:5; rev:2; )"
)

MODSECURITY = r"""# A comment.
SecRule REQUEST_COOKIES|!REQUEST_COOKIES:/__utm/|ARGS:'/a|b/'|&TX:x "@rx (?i)\"sleep\(" \
    "id:942160,\
    phase:2,\
    block,\
    capture,\
    t:none,t:urlDecodeUni,\
    msg:'Blind, and \'quoted\'',\
    logdata:'Matched Data: %{TX.0}',\
    tag:'attack-sqli',\
    tag:'application-multi',\
    ctl:ruleRemoveTargetById=942100;ARGS:foo,\
    ver:'OWASP_CRS/4.0.0',\
    severity:'CRITICAL',\
    chain"
    # between
    SecRule TX:COUNT "!@gt 5" \
        "t:length,setvar:'tx.score=+%{tx.critical}'"
"""

SIGMA = """\
title: Whoami    # shown
id: e28a5a99-da44-436d-b7a0-2afc20a5f413
status: test
description: Looks for whoami
references:
    - https://example.org
tags:
    - attack.discovery
    - attack.t1033
logsource:
    category: process_creation
    product: windows
detection:
    selection:
        Image|endswith:
            - '\\whoami.exe'
            - '\\id.exe'
        CommandLine|contains|all: ['/a', '/b']
        EventID: 1
    keywords: [b, a]
    filter_main:
        - User: SYSTEM
        - Parent: null
    condition: (selection or keywords) and not 1 of filter_*
level: high
"""

OSQUERY = """\
{
  // what attackers leave
  "platform": "linux",
  "discovery": ["select 1 from processes;"],
  "shard": "50",
  "queries": {
    "crontab": {
      "query": "select * from crontab -- all\\n where path = '/a  b';",
      "interval": "3600",
      "version": "1.4.5",
      "snapshot": true,
      "description": "Reads crontab",
      "value": "persistence"
    },
    # long
    "shell": {"query": "select pid \\
      from processes;", "interval": 60}
  }
}
"""

CAPA = """\
# A rule.
rule:
  meta:
    name: write evil file
    namespace: host-interaction/file-system
    authors:
      - lab@example.org
    scopes:
      static: function
      dynamic: span of calls
    att&ck:
      - Execution::Shared Modules [T1129]
    references:
      - https://example.org
  features:
    - and:
      - not:
        - os: linux
      - or:
        - description: any
        - api: kernel32.CreateFileA
        - match: create file
      - optional:
        - api: opt
      - count(mnemonic(xor)): 2 or more
      - 2 or more:
        - string: /evil[0-9]/i
        - substring: C:\\evil
        - bytes: 4D 5A = MZ
      - instruction:
        - number: 0x4000 = GENERIC_WRITE
        - operand[1].offset: -8
"""

SPAMASSASSIN = """\
# Tests.
header   SUBJECT   Subject =~ /free\\#1/i   # all of them
describe SUBJECT   Says free
tflags   SUBJECT   net
body __PART /money/
ifplugin Mail::SpamAssassin::Plugin::Dkim
meta BOTH  (SUBJECT && __PART)
endif
score SUBJECT 1.0 2.0 1.0 2.0
score BOTH 0
whitelist_from *@example.org
"""

RULE_FILES = {
    "a.cf": SPAMASSASSIN,
    "a.conf": MODSECURITY,
    "a.ldb": "Sig;Engine:51-255,FileSize:10-500,Target:1;(0&1)|2>3;414243::iw;EP+0:4D5A;0/a.c/i\n",
    "a.pack": OSQUERY,
    "a.rules": SURICATA,
    "a.yar": YARA,
    "capa.yml": CAPA,
    "semgrep.yml": SEMGREP,
    "sigma.yml": SIGMA,
    "snort.rules": SNORT,
    "threshold.config": "suppress gen_id 1, sig_id 7, track by_src, ip 10.0.0.0/8\n",
}
"""The name of a file says its language."""
