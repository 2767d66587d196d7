"""How results are displayed: text tables, charts, the HTML report and progress."""
