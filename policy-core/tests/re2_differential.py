"""Answers what RE2 itself makes of patterns and inputs, for `re2_differential.rs`.

Reads one JSON object a line, `{"pattern": hex, "inputs": [hex, ...]}`, until the end of input. Then writes one line
for each: `invalid`, or `valid` and a string with a 1 for every input that matches entirely and a 0 for every other.
"""

import json
import sys

import re2

options = re2.Options()
options.log_errors = False


def answer(question):
    try:
        pattern = re2.compile(bytes.fromhex(question["pattern"]), options)
    except re2.error:
        return "invalid"
    inputs = (bytes.fromhex(text) for text in question["inputs"])
    return "valid " + "".join("1" if pattern.fullmatch(text) else "0" for text in inputs)


# All questions are read before the first answer is written, so that neither side ever waits for the other.
for question in [json.loads(line) for line in sys.stdin]:
    print(answer(question))
