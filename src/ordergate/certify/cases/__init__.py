"""What is certified, by subject. A case is a sentence, passed when what was heard and what is read bear it out."""

from __future__ import annotations

from ordergate.certify.cases import brackets, crossing, day, doubt, fills, logins, orders, outages, outside

SUBJECTS = tuple(each.SUBJECT for each in (logins, orders, fills, crossing, brackets, doubt, outages, outside, day))
CASES = tuple(case for subject in SUBJECTS for case in subject.cases)
