"""What is certified, by subject. A case is a sentence, passed when what was heard and what is read bear it out."""

from __future__ import annotations

from ordergate.certify.cases import logins, orders

SUBJECTS = (logins.SUBJECT, orders.SUBJECT)
CASES = tuple(case for subject in SUBJECTS for case in subject.cases)
