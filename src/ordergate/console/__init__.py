"""The commands that ask a desk that runs: ``status``, ``orders``, ``flatten``, ``halt``, ``release``, ``doctor``.

``commands`` composes them; ``places`` says where a desk is and asks it. What is found is judged by pure functions
(``status``, ``checks``) and drawn by ``screen``. ``direct`` speaks with the broker itself, where no desk can be asked.

They must never start a part of a desk, take its state directory, or write into it.
"""
