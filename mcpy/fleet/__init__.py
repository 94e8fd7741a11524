"""The work behind the big commands, over ``mcpy.api``: no click, no rich, nothing printed."""
