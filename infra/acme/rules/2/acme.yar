// Rules of Acme's agent. They match harmless texts alone.
rule eicar_text
{
    meta:
        description = "A part of the EICAR test file"
    strings:
        $text = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
    condition:
        $text
}

rule acme_dropper
{
    meta:
        description = "A made-up dropper"
    strings:
        $url = "http://dropper.example/payload" nocase
        $key = { 41 43 4d 45 ?? 01 }
    condition:
        any of them and filesize < 200KB
}

rule acme_beacon
{
    meta:
        description = "A made-up beacon"
    strings:
        $agent = "acme-beacon/1." nocase wide ascii
    condition:
        #agent > 1
}
