"""What hides credentials in whatever is shown: names of files, command lines, messages."""

import re

SPOOLED = "specgan-spool-"
"""Begins the folder of what came from stdin or goes to stdout."""

# Of a URL's two slashes a Path keeps one.
_URL = r"\w+://|(?:https?|ftp):/"
_USER = re.compile(rf"({_URL})[^/@\s]*@")
_QUERY = re.compile(rf"((?:{_URL}|/vsicurl).*?)[?#].*$")

# Words whose value is a secret wherever it stands: --token=abc, AWS_SECRET_ACCESS_KEY=abc.
_SECRET = re.compile(
    r"(?i)([\w-]*(?:token|secret|password|passwd|apikey|api_key|sig)[\w-]*[=:])\S+"
)

# A word without the marks that end it.
_WORD = re.compile(r"\S+?(?=[\])'\":;,.]*(?:\s|$))")


def redact(path: str) -> str:
    """Return a path or URL without credentials, query, fragment, and folder in memory.

    What came from stdin, or goes to stdout, is `-`.
    """
    if SPOOLED in path:
        return "-"
    without_user = _USER.sub(r"\1", path)
    if path.startswith("/vsimem/"):
        return path.rpartition("/")[2]
    return _QUERY.sub(r"\1", without_user)


def redact_words(text: str) -> str:
    """Return a message or a word of a command line with every word in it redacted.

    Beside what `redact` takes off URLs, values of what is called a token, a password or the like
    become `***`.
    """
    return _WORD.sub(lambda word: _SECRET.sub(r"\1***", redact(word[0])), text)
