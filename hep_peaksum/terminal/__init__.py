"""What commands print: streams, progress and log, tables, JSON documents."""
