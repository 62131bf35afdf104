"""Writes area-codes.txt: the time zones of each area code of the North American numbering plan (+1).

    pip install phonenumbers==9.0.43 && python3 area_codes.py > area-codes.txt

The source is libphonenumber's prefix data (Apache-2.0) as the package `phonenumbers` ships it. It knows zones down to
an exchange, but a number that was ported keeps its exchange and not its place, so an area code gets the union of the
zones of all its exchanges: the contact rules then hold in every one of them.
"""

from phonenumbers import __version__
from phonenumbers.tzdata import TIMEZONE_DATA

zones = {}
for prefix, names in TIMEZONE_DATA.items():
    if prefix.startswith("1") and len(prefix) >= 4:
        zones.setdefault(prefix[1:4], set()).update(names)

print(f"# Area code, then every time zone in it. Made by area_codes.py from phonenumbers {__version__}; do not edit.")
for code in sorted(zones):
    print(code, *sorted(zones[code]))
